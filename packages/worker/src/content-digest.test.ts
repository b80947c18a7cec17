import { createHash } from "node:crypto";
import { type HeaderPair, joinedHeaders, type StreamMessage } from "@cim-replay/core";
import { headerBlockOf } from "@cim-replay/nats";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blockStart, ContentDigest } from "./content-digest.ts";

const BLOCK = 16_384;

interface Placed {
  readonly partition: number;
  readonly message: StreamMessage;
}

/** As the definition reads, without regard to speed. */
function digestByDefinition(messages: readonly StreamMessage[]): { events: number; sha256: string } {
  let chain = Buffer.alloc(32);
  for (const block of new Set(messages.map(({ seq }) => Math.floor(seq / BLOCK)))) {
    const own = messages.filter(({ seq }) => Math.floor(seq / BLOCK) === block);
    const records = createHash("sha256")
      .update(Buffer.concat(own.map(recordOf)))
      .digest();
    chain = createHash("sha256")
      .update(Buffer.concat([chain, uint64(block), uint32(own.length), records]))
      .digest();
  }
  return { events: messages.length, sha256: chain.toString("hex") };
}

function recordOf({ seq, subject, headerPairs = [], data }: StreamMessage): Buffer {
  const names = [...new Set(headerPairs.map(([name]) => name))];
  const valuesOf = (name: string) => headerPairs.filter(([other]) => other === name).map(([, value]) => value);
  const texts = names.flatMap((name) => [name, valuesOf(name).join(", ")]);
  const header = Buffer.concat(texts.map((text) => prefixed(Buffer.from(text))));
  return Buffer.concat([uint64(seq), prefixed(Buffer.from(subject)), prefixed(header), prefixed(data)]);
}

function prefixed(bytes: Uint8Array): Buffer {
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** Every other one with its bytes at hand. */
function messageOf(seq: number, subject: string, data: Uint8Array, pairs: readonly HeaderPair[] = []): StreamMessage {
  const head = Buffer.from(`MSG ${subject} 1 ${data.length}\r\n`);
  const headerPairs = [...Map.groupBy(pairs, ([name]) => name).values()].flat();
  const block = pairs.length === 0 ? Buffer.alloc(0) : headerBlockOf(headerPairs);
  const bytes = Buffer.concat([head, block, data, Buffer.from("\r\n")]);
  const payloadAt = head.length + block.length;
  const place = { subjectAt: 4, subjectEnd: 4 + Buffer.byteLength(subject), headersAt: head.length, payloadAt };
  const raw = seq % 2 === 1 ? { bytes, ...place, payloadEnd: payloadAt + data.length } : undefined;
  return { seq, subject, data, headers: joinedHeaders(pairs), headerPairs, receivedAtMs: 0, raw };
}

const PARTITIONS = 3;
const placed: fc.Arbitrary<Placed[]> = fc
  .array(
    fc.record({
      step: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 * BLOCK })),
      partition: fc.integer({ min: 0, max: PARTITIONS - 1 }),
      subject: fc.constantFrom("events.graph.a.Made", "events.graph.Größe.Made", "x"),
      data: fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.constantFrom(Buffer.alloc(40_000, 7), Buffer.alloc(17_000))),
      headers: fc.array(fc.tuple(fc.constantFrom("A", "x-b", "ü", "2", "1", "__proto__"), fc.string()), {
        maxLength: 5,
      }),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((steps) => {
    let seq = 0;
    return steps.map(({ step, partition, subject, data, headers }) => {
      seq += step;
      return { partition, message: messageOf(seq, subject, data, headers) };
    });
  });

function addAll(digest: ContentDigest, messages: readonly Placed[]): ContentDigest {
  for (const { partition, message } of messages) digest.add(partition, message);
  return digest;
}

describe("ContentDigest", () => {
  it("is what its definition says, whatever is hashed", () => {
    fc.assert(
      fc.property(placed, (messages) => {
        const expected = Array.from({ length: PARTITIONS }, (_, at) =>
          digestByDefinition(messages.filter(({ partition }) => partition === at).map(({ message }) => message)),
        );
        expect(addAll(new ContentDigest(PARTITIONS, 1, null), messages).end()).toEqual(expected);
      }),
    );
  });

  it("goes on from any checkpoint as if there had been none", () => {
    fc.assert(
      fc.property(placed, fc.nat(), (messages, at) => {
        const stop = at % (messages.length + 1);
        const whole = addAll(new ContentDigest(PARTITIONS, 1, null), messages).end();
        const before = addAll(new ContentDigest(PARTITIONS, 1, null), messages.slice(0, stop));
        const nextSeq = (messages[stop - 1]?.message.seq ?? 0) + 1;
        const fromSeq = blockStart(nextSeq);
        const resumed = new ContentDigest(PARTITIONS, fromSeq, before.marks(nextSeq));
        expect(
          addAll(
            resumed,
            messages.filter(({ message }) => message.seq >= fromSeq),
          ).end(),
        ).toEqual(whole);
      }),
    );
  });

  it("tells apart what a sum would not: swapped, shifted, renamed, one dropped and another doubled", () => {
    const texts = ["one", "two", "three", "four"];
    const of = (messages: StreamMessage[]) =>
      addAll(
        new ContentDigest(1, 1, null),
        messages.map((message) => ({ partition: 0, message })),
      ).end()[0]?.sha256;
    const make = (data: readonly string[], seqs = [1, 2, 3, 4], subject = "s.a") =>
      data.map((text, at) => messageOf(seqs[at] ?? 0, subject, Buffer.from(text)));
    const honest = make(texts);
    const tampered = [
      make(["two", "one", "three", "four"]),
      make(["one", "one", "three", "four"]),
      make(["onet", "wo", "three", "four"]),
      make(["one", "two", "thred", "four"]),
      make(texts, [1, 2, 3, 5]),
      make(texts, [1, 2, 3, 4], "s.b"),
      honest.slice(0, 3),
      [...honest.slice(0, 3), messageOf(4, "s.a", Buffer.from("four"), [["a", "1"]])],
    ];
    expect(new Set([honest, ...tampered].map(of)).size).toBe(tampered.length + 1);
  });
});
