import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson, MAX_JSON_DEPTH } from "./canonical-json.ts";
import { ReplayError } from "./errors.ts";

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

/** The same value with every object's keys put in another order. */
function reordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reordered);
  if (typeof value !== "object" || value === null) return value;
  const result = Object.create(null) as Record<string, unknown>;
  for (const [key, item] of Object.entries(value).reverse()) result[key] = reordered(item);
  return result;
}

describe("canonical JSON", () => {
  it("sorts keys by UTF-16 code units, integers among them", () => {
    expect(canonicalJson({ b: 1, a: 2, "10": 3, "9": 4, "": 5, é: 6, "\ud83d\ude00": 7, "\ufb33": 8 })).toBe(
      '{"":5,"10":3,"9":4,"a":2,"b":1,"é":6,"😀":7,"\ufb33":8}',
    );
  });

  it("writes numbers as ECMAScript does, and BigInts as digits", () => {
    expect(canonicalJson([-0, 1e21, 1e-7, 0.1, Number("333333333.33333329"), 5e-324, 2n ** 70n])).toBe(
      "[0,1e+21,1e-7,0.1,333333333.3333333,5e-324,1180591620717411303424]",
    );
  });

  it("leaves out undefined properties and writes undefined items and holes as null", () => {
    const holes = [1, undefined];
    holes[3] = 4;
    expect(canonicalJson({ b: undefined, a: holes, c: null })).toBe('{"a":[1,null,null,4],"c":null}');
    expect(canonicalJson({ a: undefined, b: 1 })).toBe('{"b":1}');
  });

  it("obeys toJSON once, with the key", () => {
    const named = { toJSON: (key: string) => ({ key, b: 1, a: 2 }) };
    expect(canonicalJson({ at: new Date(0), x: [named] })).toBe(
      '{"at":"1970-01-01T00:00:00.000Z","x":[{"a":2,"b":1,"key":"0"}]}',
    );
    class Counted {
      readonly n: number = 0;
      toJSON() {
        return Object.assign(new Counted(), { n: this.n + 1 });
      }
    }
    expect(canonicalJson(new Counted())).toBe('{"n":1}');
    expect(canonicalJson({ a: new Counted() })).toBe('{"a":{"n":1}}');
    expect(canonicalJson({ toJSON: "just a field" })).toBe('{"toJSON":"just a field"}');
  });

  it("writes a Map as the object of its entries, whatever the keys", () => {
    const map = new Map<string, unknown>([
      ["b", 1],
      ["__proto__", new Map([["x", [1]]])],
      ["gone", undefined],
      ["10", 2],
    ]);
    expect(canonicalJson(map)).toBe('{"10":2,"__proto__":{"x":[1]},"b":1}');
    expect(canonicalJson({ m: new Map() })).toBe('{"m":{}}');
  });

  it("keeps a key named __proto__", () => {
    expect(canonicalJson(JSON.parse('{"b":1,"__proto__":{"x":[1]}}'))).toBe('{"__proto__":{"x":[1]},"b":1}');
  });

  it("writes objects without prototype and instances of classes by their fields", () => {
    class Point {
      y = 1;
      x = 2;
    }
    expect(canonicalJson([Object.assign(Object.create(null), { b: 1, a: 2 }), new Point()])).toBe(
      '[{"a":2,"b":1},{"x":2,"y":1}]',
    );
  });

  it("escapes as JSON.stringify does, half surrogate pairs as well", () => {
    for (const text of ['"', "\\", "\n\u0001", "\ud800", "a\udc00b", "😀", "\u2028", "\u007f", "/"]) {
      expect(canonicalJson(text)).toBe(JSON.stringify(text));
      expect(canonicalJson({ [text]: text })).toBe(JSON.stringify({ [text]: text }));
    }
  });

  it.each([
    [{ a: [{ "b c": Number.NaN }] }, 'value["a"][0]["b c"] is NaN'],
    [{ a: Number.NEGATIVE_INFINITY }, 'value["a"] is -Infinity'],
    [[() => 1], "value[0] is a function"],
    [{ a: Symbol("s") }, 'value["a"] is a symbol'],
    [{ a: { b: new Set() } }, 'value["a"]["b"] is a Set'],
    [{ a: new Map<unknown, unknown>([[1, 2]]) }, "a Map with keys that are no texts"],
    [{ a: new Set() }, 'value["a"] is a Set'],
    [[new Uint8Array(1)], "value[0] is a Uint8Array"],
    [[/x/], "value[0] is a RegExp"],
    [[Object(1)], "value[0] is a Number"],
    [{ a: Promise.resolve() }, 'value["a"] is a Promise'],
    [new Set(), "it is a Set"],
    [undefined, "it is undefined"],
    [{ a: { toJSON: () => undefined } }, 'value["a"] is undefined'],
  ])("rejects what JSON cannot hold, with its path: %#", (value, message) => {
    expect(() => canonicalJson(value)).toThrow(ReplayError);
    expect(() => canonicalJson(value)).toThrow(message);
  });

  it("rejects nesting deeper than 1,000, and cycles", () => {
    expect(canonicalJson(nested(MAX_JSON_DEPTH))).toHaveLength(500 * 2 + 500 * 6 + 1);
    expect(() => canonicalJson(nested(MAX_JSON_DEPTH + 1))).toThrow("nested deeper than 1000");
    const cycle: unknown[] = [];
    cycle.push(cycle, cycle);
    expect(() => canonicalJson(cycle)).toThrow("holds itself");
  });

  it("gives one text whatever the order of keys, and one that means the same", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(reordered(value))).toBe(text);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("gives values with sorted keys the text of JSON.stringify", () => {
    const sorted = { a: [1, "x", { b: null, c: true }], d: { e: {}, f: [] } };
    expect(canonicalJson(sorted)).toBe(JSON.stringify(sorted));
  });
});
