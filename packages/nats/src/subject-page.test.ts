import fc from "fast-check";
import { expect, test } from "vitest";
import { splitSubjects } from "./subject-page.ts";

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

test("takes subjects out as JSON.parse would read them, and leaves the rest", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.stringMatching(/^[a-zA-Z0-9._:{},-]{1,30}$/), fc.nat()),
      fc.dictionary(fc.string(), fc.string()),
      (subjects, metadata) => {
        const answer = { total: 3, config: { metadata, subjects: ["a.>"] }, state: { first_seq: 1, subjects } };
        const split = splitSubjects(bytesOf(answer));
        // Where metadata holds more than ASCII it is left to JSON.parse.
        if (split === null) return expect(JSON.stringify(metadata)).toMatch(/[^\x20-\x7e]/);
        expect(split.subjects).toEqual(new Map(Object.entries(subjects)));
        expect(JSON.parse(split.rest)).toEqual({ ...answer, state: { first_seq: 1, subjects: {} } });
      },
    ),
  );
});

test.each([
  ["there are none", bytesOf({ state: { first_seq: 1 } })],
  ["a subject is escaped", bytesOf({ state: { subjects: { 'a"b': 1 } } })],
  ["a subject is not ASCII", bytesOf({ state: { subjects: { größe: 1 } } })],
  ["a count is no plain number", bytesOf({ state: { subjects: { a: 1.5 } } })],
  ["a count is no number", bytesOf({ state: { subjects: { a: {} } } })],
  ["there is white space", new TextEncoder().encode('{"state":{"subjects":{ "a": 1 }}}')],
  ["the answer is cut off", bytesOf({ state: { subjects: { a: 1, b: 2 } } }).subarray(0, -6)],
])("leaves an answer alone where %s", (_, answer) => {
  expect(splitSubjects(answer)).toBeNull();
});
