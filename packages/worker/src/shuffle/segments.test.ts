import { type HeaderPair, joinedHeaders, type StreamMessage } from "@cim-replay/core";
import { headerBlockOf } from "@cim-replay/nats";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SegmentPacker } from "./segment-packer.ts";
import { BadSegment, SegmentUnpacker } from "./segment-unpacker.ts";

const PLACE = "run 3 u1 1";

interface Packed {
  readonly segments: Uint8Array[];
  readonly packer: SegmentPacker;
}

function pack(messages: readonly StreamMessage[], segmentBytes = 2_000, maxBytes = 1_000): Packed {
  const segments: Uint8Array[] = [];
  const packer = new SegmentPacker({
    ...{ place: PLACE, segmentBytes, maxBytes },
    emit: (index, payload) => {
      expect(index).toBe(segments.length);
      expect(payload.length).toBeLessThanOrEqual(maxBytes);
      segments.push(payload);
    },
  });
  for (const message of messages) packer.add(message);
  packer.flush();
  return { segments, packer };
}

function unpack(
  segments: readonly Uint8Array[],
  place = PLACE,
): { messages: StreamMessage[]; unpacker: SegmentUnpacker } {
  const unpacker = new SegmentUnpacker(place);
  const messages = segments.flatMap((segment) => unpacker.take(segment));
  return { messages, unpacker };
}

const plain = ({ seq, subject, data, headers, headerPairs, receivedAtMs }: StreamMessage) => ({
  ...{ seq, subject, receivedAtMs },
  data: Buffer.from(data).toString("base64"),
  headers: headers && Object.entries(headers),
  pairs: headers && headerPairs,
});

/** What the server takes, grouped as they are read. */
const pairs = fc
  .array(fc.tuple(fc.constantFrom("A", "b", "1", "X-y"), fc.oneof(fc.string(), fc.constantFrom("ü", "a, b"))), {
    minLength: 1,
    maxLength: 4,
  })
  .map((all) =>
    [...Map.groupBy(all, ([name]) => name).values()].flat().map(([name, it]) => [name, it.trim()] as const),
  );
const body = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ minLength: 1_500, maxLength: 4_000 }));

const message = fc
  .record({
    gap: fc.integer({ min: 1, max: 5 }),
    subject: fc.string({ minLength: 1 }),
    body,
    pairs: fc.option(pairs),
    raw: fc.boolean(),
  })
  .map(({ gap, subject, body: data, pairs: headerPairs, raw }) => ({
    gap,
    message: messageOf(subject, data, headerPairs, raw),
  }));

function messageOf(
  subject: string,
  data: Uint8Array,
  pairs: readonly HeaderPair[] | null,
  isRaw: boolean,
): Omit<StreamMessage, "seq"> {
  const headers = pairs === null ? undefined : joinedHeaders(pairs);
  const parsed = { subject, data, receivedAtMs: 1_700_000_000_000, headers, headerPairs: pairs ?? [] };
  if (!isRaw) return parsed;
  const text = Buffer.from(subject);
  const block = pairs === null ? Buffer.alloc(0) : headerBlockOf(pairs);
  const bytes = Buffer.concat([Buffer.from("before"), text, Buffer.from("between"), block, data]);
  const subjectEnd = 6 + text.length;
  const headersAt = subjectEnd + 7;
  const payloadAt = headersAt + block.length;
  return { ...parsed, raw: { bytes, subjectAt: 6, subjectEnd, headersAt, payloadAt, payloadEnd: bytes.length } };
}

const messages = fc.array(message, { maxLength: 40 }).map((made) => {
  let seq = 2 ** 40;
  return made.map(({ gap, message: each }): StreamMessage => {
    seq += gap;
    return { ...each, seq };
  });
});

describe("segments", () => {
  it("give back every message, byte for byte and in order, whatever its size, subject and headers", () => {
    fc.assert(
      fc.property(
        messages,
        fc.integer({ min: 1, max: 5_000 }),
        fc.integer({ min: 60, max: 3_000 }),
        (sent, segmentBytes, maxBytes) => {
          const { segments, packer } = pack(sent, segmentBytes, maxBytes);
          const { messages: came, unpacker } = unpack(segments);
          expect(came.map(plain)).toEqual(sent.map(plain));
          expect(unpacker).toMatchObject({ events: sent.length, sha256: packer.sha256, isWhole: true });
          expect(packer).toMatchObject({ events: sent.length, segments: segments.length });
        },
      ),
    );
  });

  const some = Array.from(
    { length: 200 },
    (_, i): StreamMessage => ({ ...messageOf(`s.${i % 7}`, Buffer.from(`{"n":${i}}`), null, true), seq: i }),
  );

  it("let payloads be read as text where all of it is ASCII, and the bytes where they lie", () => {
    const [first] = unpack(pack(some).segments).messages;
    expect(first?.asciiText).toBe('{"n":0}');
    expect(first?.raw).toBeDefined();
  });

  it("are refused where any bit of any of them is another", () => {
    const { segments } = pack(some);
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(7), (which, where, bit) => {
        const at = which % segments.length;
        const changed = Buffer.from(segments[at] ?? []);
        changed[where % changed.length] = (changed[where % changed.length] ?? 0) ^ (1 << bit);
        expect(() => unpack(segments.with(at, changed))).toThrow(BadSegment);
      }),
    );
  });

  it("are refused in any other place: of another slice, unit or epoch, or another of the same", () => {
    const { segments } = pack(some, 500);
    expect(segments.length).toBeGreaterThan(3);
    expect(() => unpack(segments, "run 2 u1 1")).toThrow(BadSegment);
    expect(() => unpack(segments.slice(1))).toThrow(BadSegment);
    expect(() => unpack(segments.toReversed())).toThrow(BadSegment);
  });

  it("are told from fewer of them by the digest over all", () => {
    const { segments, packer } = pack(some, 500);
    expect(unpack(segments.slice(0, -1)).unpacker.sha256).not.toBe(packer.sha256);
  });

  it("are a third of their messages where these are alike, and no larger where they are noise", () => {
    const size = (list: readonly Uint8Array[]) => list.reduce((sum, { length }) => sum + length, 0);
    expect(size(pack(some, 100_000, 100_000).segments)).toBeLessThan((some.length * (28 + 10)) / 3);
    const noise = crypto.getRandomValues(new Uint8Array(10_000));
    expect(size(pack([{ ...messageOf("s", noise, null, true), seq: 1 }], 100, 100_000).segments)).toBeLessThan(10_100);
  });
});
