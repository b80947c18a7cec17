import fc from "fast-check";

const key = fc.oneof(fc.string(), fc.constantFrom("__proto__", "toJSON", "constructor", "10", "a"));

/** States as `evolve` may make them, of everything that comes back from being packed. */
export const { state: anyState } = fc.letrec((tie) => ({
  state: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.string({ unit: "binary" }),
      fc.string({ minLength: 60, unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)) }),
      fc.integer(),
      // 0 comes back for -0: both are written as 0.
      fc.double().filter((value) => !Object.is(value, -0)),
      fc.maxSafeInteger(),
      fc.bigInt(),
      fc.boolean(),
      fc.constantFrom(null, undefined, Number.NaN, Number.POSITIVE_INFINITY, "\ud800", "\ufffd", 2 ** 53, -(2 ** 63)),
      fc.date(),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc.float64Array({ maxLength: 4, noNaN: true }),
    ),
    fc.array(tie("state"), { maxLength: 4 }),
    fc.dictionary(key, tie("state"), { maxKeys: 4, noNullPrototype: true }),
    fc.array(fc.tuple(fc.oneof(key, fc.integer()), tie("state")), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(fc.oneof(key, fc.bigInt()), { maxLength: 4 }).map((members) => new Set(members)),
  ),
}));
