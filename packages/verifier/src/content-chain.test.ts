import { createHash } from "node:crypto";
import type { HeaderPair, StreamMessage } from "@cim-replay/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ContentChains } from "./content-chain.ts";

function message(seq: number, subject: string, data: Uint8Array, pairs?: readonly HeaderPair[]): StreamMessage {
  const headerPairs = pairs && [...Map.groupBy(pairs, ([name]) => name).values()].flat();
  return { seq, subject, data, headers: pairs && {}, headerPairs, receivedAtMs: 0 };
}

const sha256 = (...parts: Uint8Array[]) => createHash("sha256").update(Buffer.concat(parts)).digest();
const uint = (bytes: number, value: number) => Buffer.from(value.toString(16).padStart(bytes * 2, "0"), "hex");
const lp = (bytes: Uint8Array) => Buffer.concat([uint(4, bytes.length), bytes]);

/** The definition of docs/certificate.md, word by word and as slow as that. */
function asDefined(messages: readonly StreamMessage[]): string {
  let chain: Uint8Array = Buffer.alloc(32);
  for (const block of new Set(messages.map(({ seq }) => Math.floor(seq / 16_384)))) {
    const own = messages.filter(({ seq }) => Math.floor(seq / 16_384) === block);
    const records = own.map(({ seq, subject, headerPairs = [], data }) => {
      const names = headerPairs.map(([name]) => name).filter((name, at, all) => all.indexOf(name) === at);
      const pairs = names.flatMap((name) => {
        const values = headerPairs.filter(([other]) => other === name).map(([, value]) => value);
        return [lp(Buffer.from(name)), lp(Buffer.from(values.join(", ")))];
      });
      return Buffer.concat([uint(8, seq), lp(Buffer.from(subject)), lp(Buffer.concat(pairs)), lp(data)]);
    });
    chain = sha256(chain, uint(8, block), uint(4, own.length), sha256(...records));
  }
  return Buffer.from(chain).toString("hex");
}

describe("a content digest", () => {
  it("is what the definition says, of any messages in any partitions", () => {
    const anyMessage = fc.record({
      step: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 40_000 })),
      partition: fc.integer({ min: 0, max: 2 }),
      subject: fc.string({ minLength: 1, unit: "grapheme" }),
      data: fc.oneof(fc.uint8Array(), fc.uint8Array({ minLength: 20_000, maxLength: 90_000, size: "max" })),
      headers: fc.option(fc.array(fc.tuple(fc.oneof(fc.constantFrom("a", "2", "1"), fc.string()), fc.string())), {
        nil: undefined,
      }),
    });
    const starts = fc.constantFrom(1, 16_380, 2 ** 32 - 3, 2 ** 40);
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 40 }), starts, (steps, start) => {
        const chains = new ContentChains(3);
        const byPartition: StreamMessage[][] = [[], [], []];
        let seq = start;
        for (const { step, partition, subject, data, headers } of steps) {
          seq += step;
          const each = message(seq, subject, data, headers);
          chains.add(partition, each);
          byPartition[partition]?.push(each);
        }
        expect(chains.end()).toEqual(byPartition.map((own) => ({ events: own.length, sha256: asDefined(own) })));
      }),
      { numRuns: 200 },
    );
  });

  it("of nothing is 32 zero bytes", () => {
    expect(new ContentChains(1).end()).toEqual([{ events: 0, sha256: "00".repeat(32) }]);
  });

  it("takes messages larger than its buffer, and small ones after them", () => {
    const messages = [10, 200_000, 3, 65_536, 65_500, 0].map((size, i) =>
      message(i + 1, "s", Buffer.alloc(size, i + 1)),
    );
    const chains = new ContentChains(1);
    for (const each of messages) chains.add(0, each);
    expect(chains.end()[0]?.sha256).toBe(asDefined(messages));
  });
});
