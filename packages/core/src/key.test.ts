import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReplayError } from "./errors.ts";
import { entryKey, MAX_KEY_LENGTH, parseEntryKey } from "./key.ts";

const id = fc.string({ unit: "binary", minLength: 1, maxLength: 60 });
/** Dense in the characters that could make two ids collide. */
const trickyId = fc.string({
  unit: fc.constantFrom("=", ".", "%", "2", "E", "e", "/", "é", "😀", "\0", " "),
  minLength: 1,
});

describe("entry keys", () => {
  it("keeps plain ids as they are", () => {
    expect(entryKey("graph", "7f3a-b_c/9")).toBe("graph.7f3a-b_c/9");
  });

  it("escapes what a key token may not hold, and dots and equals signs, byte by byte", () => {
    expect(entryKey("graph", "a.b=c d*>é")).toBe("graph.a=2Eb=3Dc=20d=2A=3E=C3=A9");
    expect(entryKey("a.b", "\n")).toBe("a=2Eb.=0A");
    expect(entryKey("graph", "😀'")).toBe("graph.=F0=9F=98=80=27");
  });

  it("gives every id back and uses only characters of a KV key", () => {
    fc.assert(
      fc.property(fc.oneof(id, trickyId), fc.oneof(id, trickyId), (domain, aggregateId) => {
        const key = entryKey(domain, aggregateId);
        expect(key).toMatch(/^[-/_=a-zA-Z0-9]+\.[-/_=a-zA-Z0-9]+$/);
        expect(parseEntryKey(key)).toEqual({ domain, aggregateId });
      }),
    );
  });

  it("gives no two ids one key", () => {
    const pair = fc.tuple(trickyId, trickyId);
    fc.assert(
      fc.property(pair, pair, (a, b) => {
        const same = a[0] === b[0] && a[1] === b[1];
        expect(entryKey(...a) === entryKey(...b)).toBe(same);
      }),
      { numRuns: 1_000 },
    );
  });

  it("reads back only keys that an id gives", () => {
    const token = fc.string({
      unit: fc.constantFrom("=", "4", "1", "2", "E", "e", "C", "3", "A", "9", "x", "."),
      maxLength: 12,
    });
    fc.assert(
      fc.property(token, (key) => {
        const parsed = parseEntryKey(key);
        if (parsed !== null) expect(entryKey(parsed.domain, parsed.aggregateId)).toBe(key);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    "graph",
    "graph.",
    ".id",
    "graph.a.b",
    "graph.a=2eb",
    "graph.=41",
    "graph.=C3",
    "graph.=ED=A0=80",
    "graph.a=2",
    "graph.a b",
    "graph.%41",
  ])("gives null for %j", (key) => {
    expect(parseEntryKey(key)).toBeNull();
  });

  it("refuses empty ids, halves of surrogate pairs and keys too long for the server", () => {
    expect(() => entryKey("graph", "")).toThrow(ReplayError);
    expect(() => entryKey("", "a")).toThrow("the domain is empty");
    expect(() => entryKey("graph", "a\ud800")).toThrow("no Unicode text");
    expect(() => entryKey("graph", "é".repeat(MAX_KEY_LENGTH / 6))).toThrow(`the most is ${MAX_KEY_LENGTH}`);
  });
});
