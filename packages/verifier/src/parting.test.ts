import { describe, expect, it } from "vitest";
import { firstDifference, pathText } from "./first-difference.ts";
import { PartingSearch } from "./parting-search.ts";

describe("the first difference", () => {
  it.each([
    [{ a: 1 }, { a: 1 }, null],
    [{ a: 1, b: { c: [1, 2] } }, { a: 1, b: { c: [1, 3] } }, ["$.b.c[1]", "2", "3"]],
    [{ a: 1 }, { a: 1, b: null }, ["$.b", null, "null"]],
    [{ a: [1, 2] }, { a: [1] }, ["$.a[1]", "2", null]],
    [{ "a b": { "": "x" } }, { "a b": { "": "y" } }, ['$["a b"][""]', '"x"', '"y"']],
    [JSON.parse('{"__proto__":1}'), {}, ["$.__proto__", "1", null]],
    [{ a: {} }, { a: [] }, ["$.a", "{}", "[]"]],
    ["x", null, ["$", '"x"', "null"]],
    [{ b: 1, a: 1 }, { b: 2, a: 2 }, ["$.a", "1", "2"]],
  ])("of %j and %j", (expected, found, is) => {
    const difference = firstDifference(expected, found);
    expect(difference && [pathText(difference.path), difference.expected, difference.found]).toEqual(is);
  });
});

describe("where two values part", () => {
  const values = [
    [11, { n: 1, color: "red" }],
    [13, { n: 2, color: "blue" }],
    [17, { n: 3, color: "green" }],
    [19, { n: 4, color: "green" }],
  ] as const;

  function search(found: unknown) {
    const difference = firstDifference(values[3][1], found);
    if (!difference) throw new Error("no difference");
    const parting = new PartingSearch(difference, JSON.stringify(found));
    for (const [seq, value] of values) parting.take(seq, JSON.stringify(value));
    return parting.result();
  }

  it("is the event that the found one lacks, where it is an earlier value", () => {
    expect(search(values[1][1])).toMatchObject({
      sequence: 17,
      text: /value after sequence 13; event 17 is the first/,
    });
  });

  it("is the event since which they differ at the path, where they agreed there before", () => {
    expect(search({ n: 4, color: "blue" })).toMatchObject({
      sequence: 17,
      text: /up to sequence 13, and not from event 17/,
    });
  });

  it("is where the right one came to stand, where no event gives the found one", () => {
    expect(search({ n: 4, color: "pink" })).toMatchObject({ sequence: 17, text: /No event gives that/ });
  });
});
