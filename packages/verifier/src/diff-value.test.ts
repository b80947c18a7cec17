import { describe, expect, test } from "vitest";
import { diffValues, pathText } from "./diff-value.ts";

const bytes = (text: string) => Buffer.from(text);
const diff = (left: string, right: string) =>
  diffValues(bytes(left), bytes(right)).map(({ path, left, right }) => [pathText(path), left, right]);

describe("two values", () => {
  test("differ at paths", () => {
    expect(diff('{"a":{"b c":[1,2]},"d":1}', '{"a":{"b c":[1,3,4]},"e":null}')).toEqual([
      ['a["b c"][1]', 2, 3],
      ['a["b c"][2]', undefined, 4],
      ["d", 1, undefined],
      ["e", undefined, null],
    ]);
  });

  test("are the same in another order of keys or other white space", () => {
    expect(diff('{"a":1,"b":[true,null]}', ' { "b" : [true, null], "a": 1.0 }')).toEqual([]);
  });

  test("differ as a whole where their kinds do", () => {
    expect(diff("[]", "{}")).toEqual([["(all)", [], Object.create(null)]]);
    expect(diff("1", '"1"')).toEqual([["(all)", 1, "1"]]);
    expect(diff("null", "{}")).toEqual([["(all)", null, Object.create(null)]]);
  });

  test.each([
    ['{"__proto__":{"x":1}}', "{}", '["__proto__"]'],
    ['{"__proto__":{"x":1}}', '{"__proto__":{"x":2}}', "x"],
    ["{}", '{"__proto__":null}', "__proto__"],
    ['{"constructor":1}', "{}", "constructor"],
    ["{}", '{"toString":null}', "toString"],
    ['{"a":{"constructor":{"name":"Date"}}}', '{"a":{"constructor":{"name":"Dat"}}}', "name"],
  ])("are not fooled by names that every object has: %s and %s", (left, right, path) => {
    const changes = diff(left, right);
    expect(changes).toHaveLength(1);
    expect(changes[0]?.[0]).toContain(path.replace(/^\["|"\]$/g, ""));
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  test("differ where large numbers do that round to the same", () => {
    expect(diff('{"n":9007199254740993}', '{"n":9007199254740992}')).toEqual([
      ["n", 9007199254740993n, 9007199254740992n],
    ]);
    expect(diff('{"n":9007199254740993}', '{"n":9007199254740993}')).toEqual([]);
  });

  test("differ as texts where one is no JSON, and as bytes where it is no text", () => {
    expect(diff("{", "{}")).toEqual([["(all)", "{", "{}"]]);
    expect(diffValues(Buffer.of(0xff), Buffer.of(0xfe))).toEqual([{ path: [], left: "(hex) ff", right: "(hex) fe" }]);
  });

  test("are not the same where text that is no UTF-8 reads the same", () => {
    expect(diffValues(Buffer.from([34, 0xff, 34]), Buffer.from([34, 0xfe, 34]))).toEqual([
      { path: [], left: "(hex) 22ff22", right: "(hex) 22fe22" },
    ]);
  });

  test("may be nested as deep as anybody likes", () => {
    const deep = (inner: string) => "[".repeat(200_000) + inner + "]".repeat(200_000);
    expect(diffValues(bytes(deep("1")), bytes(deep("1")))).toEqual([]);
    expect(diffValues(bytes(deep("1")), bytes(deep("2")))).toHaveLength(1);
  });
});
