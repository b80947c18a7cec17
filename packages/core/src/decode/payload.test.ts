import fc from "fast-check";
import { Packr, pack } from "msgpackr";
import { describe, expect, it } from "vitest";
import { Malformed } from "./malformed.ts";
import { parsePayload } from "./payload.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const nested = (levels: number) => `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
const prototypeKeys = Reflect.ownKeys(Object.prototype);

function reasonOf(data: Uint8Array): string {
  const parsed = parsePayload(data);
  return parsed instanceof Malformed ? parsed.reason : "accepted";
}

describe("a JSON payload", () => {
  it("is an object, whatever white space or byte order mark precedes it", () => {
    for (const text of ['{"a":1}', ' \n{"a":1}\r\n', '\ufeff{"a":1}'])
      expect(parsePayload(bytes(text))).toEqual({ a: 1 });
  });

  it("keeps __proto__ as a key like any other", () => {
    const parsed = parsePayload(bytes('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'));
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
    expect(Object.keys(parsed)).toEqual(["__proto__", "constructor"]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it("holds the last of a key given twice", () => {
    expect(parsePayload(bytes('{"a":1,"a":2}'))).toEqual({ a: 2 });
  });

  it("may be 1 MiB, with brackets in its texts", () => {
    const text = JSON.stringify({ a: `"[{\\`.repeat(200_000), b: Array.from({ length: 1_000 }, () => ({})) });
    expect(text.length).toBeGreaterThan(1024 * 1024);
    expect(parsePayload(bytes(text))).toEqual(JSON.parse(text));
  });

  it("may be nested 256 levels deep and no deeper", () => {
    expect(reasonOf(bytes(nested(256)))).toBe("accepted");
    expect(reasonOf(bytes(nested(257)))).toBe("the payload is nested deeper than 256 levels");
    expect(reasonOf(bytes(nested(500_000)))).toBe("the payload is nested deeper than 256 levels");
  });

  it("is malformed where it is no object", () => {
    expect(reasonOf(bytes("12"))).toBe("the payload is a number, not an object");
    expect(reasonOf(bytes('"text"'))).toBe("the payload is a string, not an object");
    expect(reasonOf(bytes("[1]"))).toBe("the payload is an array, not an object");
    expect(reasonOf(bytes("null"))).toBe("the payload is null, not an object");
    expect(reasonOf(new Uint8Array(0))).toBe("the payload is empty");
  });

  it("is malformed where it is no valid UTF-8", () => {
    for (const wrong of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
      const data = new Uint8Array([...bytes('{"a":"'), ...wrong, ...bytes('"}')]);
      expect(reasonOf(data)).toBe("the payload is no valid UTF-8");
    }
  });

  it("is refused in one short line that a terminal can show", () => {
    const reason = reasonOf(bytes(`{"a":\u001b[31m\n${"x".repeat(5_000)}`));
    expect(reason).toMatch(/^the payload is no JSON: /);
    expect(reason.length).toBeLessThan(250);
    expect(reason).not.toMatch(/\p{Cc}/u);
  });
});

describe("a msgpack payload", () => {
  it("is read like JSON", () => {
    const value = { a: 1, b: -5, c: [1.5, true, null, "Größe", "x".repeat(300)], d: { e: {} }, f: 4_000_000_000 };
    expect(parsePayload(pack(value))).toEqual(value);
    expect(parsePayload(new Packr().pack({ list: [value, value, value, value, value] }))).toEqual({
      list: [value, value, value, value, value],
    });
  });

  it("gives plain values for what JSON has no form for", () => {
    const at = new Date("2024-01-15T12:00:00.123Z");
    const parsed = parsePayload(
      pack({ at, bytes: new Uint8Array([1, 2, 255]), none: [undefined], big: 2n ** 63n, id: 7n }),
    );
    expect(parsed).toEqual({ at: at.toISOString(), bytes: "AQL/", none: [null], big: 2n ** 63n, id: 7 });
  });

  it("never changes a prototype", () => {
    const key = [0xa9, ...bytes("__proto__")];
    const polluted = [0x81, 0xa8, ...bytes("polluted"), 0xc3];
    const asMap = new Uint8Array([0x81, ...key, ...polluted]);
    const asBigMap = new Uint8Array([0xde, 0, 1, ...key, ...polluted]);
    const asRecord = new Uint8Array([0xd4, 0x72, 0x40, 0x91, ...key, ...polluted]);
    for (const data of [asMap, asBigMap, asRecord]) {
      const parsed = parsePayload(data);
      expect(parsed).not.toBeInstanceOf(Malformed);
      expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
      expect((parsed as Record<string, unknown>).polluted).toBeUndefined();
    }
  });

  it("is refused before anything is made for lengths that are not true", () => {
    for (const head of [
      [0xdd, 0xff, 0xff, 0xff, 0xff],
      [0xdf, 0xff, 0xff, 0xff, 0xff],
      [0xdb, 0x7f, 0xff, 0xff, 0xff],
    ]) {
      expect(reasonOf(new Uint8Array([0x81, 0xa1, 0x61, ...head, 0]))).toMatch(/ends too early/);
    }
    expect(reasonOf(new Uint8Array([0xde, 0xff]))).toMatch(/ends too early/);
    expect(reasonOf(new Uint8Array([0x81, 0xa1, 0x61, 0xc6, 0xff, 0xff, 0xff, 0xff]))).toMatch(/ends too early/);
  });

  it("is refused with its reason where it holds what no event should", () => {
    const holding = (...value: number[]) => reasonOf(new Uint8Array([0x81, 0xa1, 0x61, ...value]));
    expect(holding(0x01, 0x01)).toMatch(/bytes follow its end/);
    expect(holding(0xc1)).toMatch(/0xc1/);
    expect(holding(0xa2, 0xc0, 0xaf)).toMatch(/UTF-8/);
    expect(holding(0xd6, 0x70, 0, 0, 0, 1)).toMatch(/extension type 112 is not supported/);
    expect(reasonOf(new Packr({ moreTypes: true }).pack({ a: /x/ }))).toMatch(/extension type 120 is not supported/);
    expect(holding(...pack(Number.NaN))).toMatch(/JSON has no number NaN/);
    expect(holding(...new Array<number>(300).fill(0x91), 0x90)).toMatch(/nested deeper than 256 levels/);
    expect(holding(0xc7, 12, 0xff, 0, 0, 0, 0, ...new Array<number>(8).fill(0x7f))).toMatch(/no msgpack/);
    expect(reasonOf(pack([1, 2]))).toBe("the payload is an array, not an object");
    expect(reasonOf(pack("text ".repeat(20)))).toBe("the payload is a string, not an object");
  });

  it("reads what any packer writes of JSON's values", () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({ unit: "binary" }).filter((key) => key !== "__proto__"),
          fc.jsonValue(),
        ),
        (value) => {
          const text = JSON.stringify(value);
          fc.pre(!text.includes("__proto__"));
          const expected: unknown = JSON.parse(text);
          expect(parsePayload(pack(expected))).toEqual(expected);
        },
      ),
    );
  });
});

describe("any bytes", () => {
  it("are an object or malformed, and change no prototype", () => {
    const heads = fc.constantFrom([], [0x81, 0xa1, 0x61], [0xd4, 0x72], [0xc7], [0xdf, 0, 0], [0x7b, 0x22]);
    fc.assert(
      fc.property(heads, fc.uint8Array({ maxLength: 200 }), (head, tail) => {
        const parsed = parsePayload(new Uint8Array([...head, ...tail]));
        expect(typeof parsed).toBe("object");
        if (parsed instanceof Malformed) expect(parsed.reason).not.toMatch(/\p{Cc}/u);
        else expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
        expect(Reflect.ownKeys(Object.prototype)).toEqual(prototypeKeys);
      }),
      { numRuns: 2_000 },
    );
  });
});
