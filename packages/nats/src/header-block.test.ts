import type { HeaderPair } from "@cim-replay/core";
import fc from "fast-check";
import { MsgHdrsImpl } from "nats";
import { expect, test } from "vitest";
import { headerBlockOf, headerPairsIn } from "./header-block.ts";

/** The pairs, or that it is refused. */
function outcomeOf(read: () => readonly HeaderPair[]): readonly HeaderPair[] | "refused" {
  try {
    return read();
  } catch {
    return "refused";
  }
}

function byLibrary(block: Buffer): HeaderPair[] {
  return [...MsgHdrsImpl.decode(block)].flatMap(([name, values]) => values.map((value): HeaderPair => [name, value]));
}

function sameAsLibrary(text: string): void {
  const block = Buffer.from(text, "latin1");
  expect(outcomeOf(() => headerPairsIn(block))).toEqual(outcomeOf(() => byLibrary(block)));
}

const names = fc.constantFrom(
  "A",
  "a",
  "X-Event-Type",
  "__proto__",
  "",
  "1",
  "constructor",
  "b c",
  "n\u00e4me",
  "\u007f",
);
const values = fc.constantFrom(
  "",
  " ",
  "v",
  " two words ",
  "a:b",
  "\tx",
  "x\ry",
  "y\nz",
  "\u00fc",
  "\u00c3\u00bc",
  "\r",
);
const lines = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(names, values).map(([name, value]) => `${name}:${value}`) },
  fc.constantFrom("", "no colon", ":", " ", "\r", "\n"),
);
const begins = fc.constantFrom("NATS/1.0", "NATS/1.0 503", "NATS/1.0 404 No Messages", "nats", "A:b", "");

test("a header block is read as the library reads it, and refused where the library refuses it", () => {
  const blocks = fc.tuple(begins, fc.array(lines, { maxLength: 30 }), fc.constantFrom("\r\n\r\n", "\r\n", ""));
  fc.assert(
    fc.property(blocks, ([begin, all, end]) => sameAsLibrary([begin, ...all].join("\r\n") + end)),
    { numRuns: 10_000 },
  );
});

test("so are any bytes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary-ascii", maxLength: 60 }), (text) => sameAsLibrary(`NATS/1.0\r\n${text}`)),
    { numRuns: 5_000 },
  );
});

test("a block made of pairs gives them back", () => {
  const value = fc.oneof(fc.string(), fc.constantFrom("\u00fc", "\u{1f600}", "a:b")).map((text) => text.trim());
  fc.assert(
    fc.property(fc.uniqueArray(fc.constantFrom("A", "b", "1", "X-y", "__proto__")), fc.array(value), (own, all) => {
      const pairs = own.map((name, i): HeaderPair => [name, all[i] ?? ""]);
      expect(headerPairsIn(headerBlockOf(pairs))).toEqual(pairs);
    }),
  );
});

test("a block of nothing but ends of lines is read in no time", () => {
  const block = Buffer.from(`NATS/1.0\r\n${"\r\n".repeat(500_000)}`);
  const begunAt = performance.now();
  expect(headerPairsIn(block)).toEqual([]);
  // Each of them looked for to the end of the block, it would be a minute.
  expect(performance.now() - begunAt).toBeLessThan(5_000);
});

test("all values of a name stand together, where it first appeared", () => {
  const block = Buffer.from("NATS/1.0\r\nA: 1\r\nB: 2\r\nA: 3\r\n\r\n");
  expect(headerPairsIn(block)).toEqual([
    ["A", "1"],
    ["A", "3"],
    ["B", "2"],
  ]);
});
