import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameSplitter } from "./frame-splitter.ts";

interface Sent {
  readonly bytes: Buffer;
  /** What a handler shall see of it; null where it is the library's. */
  readonly seen: string | null;
}

const WATCHED = 7;
const token = fc.string({ unit: fc.constantFrom(..."abcXYZ.0189_$-ü"), minLength: 1, maxLength: 40 });
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.constantFrom("MSG a 7 3\r\n", "\r\n\r\nPING\r\n", "").map((text) => Buffer.from(text)),
);

function message(subject: string, sid: number, reply: string | null, data: Uint8Array): Sent {
  const head = `MSG ${subject} ${sid} ${reply === null ? "" : `${reply} `}${data.length}\r\n`;
  const seen = `${subject} ${reply ?? ""}  ${Buffer.from(data).toString("hex")}`;
  return { bytes: Buffer.concat([Buffer.from(head), data, Buffer.from("\r\n")]), seen: sid === WATCHED ? seen : null };
}

/** Without a reply subject it is a status, which the library understands. */
function headed(subject: string, sid: number, reply: string | null, headers: string, data: Uint8Array): Sent {
  const block = Buffer.from(headers);
  const sizes = `${block.length} ${block.length + data.length}`;
  const head = `HMSG ${subject} ${sid} ${reply === null ? "" : `${reply} `}${sizes}\r\n`;
  const seen = `${subject} ${reply} ${block.toString("hex")} ${Buffer.from(data).toString("hex")}`;
  return {
    bytes: Buffer.concat([Buffer.from(head), block, data, Buffer.from("\r\n")]),
    seen: sid === WATCHED && reply !== null ? seen : null,
  };
}

const sent: fc.Arbitrary<Sent> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(token, fc.constantFrom(WATCHED, WATCHED, 1, 70), fc.option(token), payload)
      .map((all) => message(...all)),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        token,
        fc.constantFrom(WATCHED, WATCHED, 1),
        fc.option(token),
        fc.constantFrom("NATS/1.0\r\nA: MSG x 7 1\r\n\r\n", "NATS/1.0 404 No Messages\r\n\r\n"),
        payload,
      )
      .map((all) => headed(...all)),
  },
  fc
    .constantFrom("PING\r\n", "PONG\r\n", "+OK\r\n", "-ERR 'MSG a 7 1'\r\n", 'INFO {"server_id":"MSG a 7 2"}\r\n')
    .map((text) => ({ bytes: Buffer.from(text), seen: null })),
);

function split(chunks: readonly Buffer[]) {
  const seen: string[] = [];
  const others: Buffer[] = [];
  const splitter = new FrameSplitter(
    (bytes) => others.push(Buffer.from(bytes)),
    () => undefined,
    () => true,
  );
  splitter.watch(WATCHED, (frame) => {
    const { bytes, subjectAt, subjectEnd, replyAt, replyEnd, headersAt, payloadAt, payloadEnd } = frame;
    const text = (from: number, to: number) => bytes.toString("utf8", from, to);
    const hex = (from: number, to: number) => bytes.toString("hex", from, to);
    seen.push(
      `${text(subjectAt, subjectEnd)} ${text(replyAt, replyEnd)} ${hex(headersAt, payloadAt)} ${hex(payloadAt, payloadEnd)}`,
    );
  });
  for (const chunk of chunks) splitter.take(chunk);
  return { seen, others };
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length));
}

/** A splitter, and what it hands to the library. */
function recorded(): { splitter: FrameSplitter; others: string[] } {
  const others: string[] = [];
  const splitter = new FrameSplitter(
    (bytes) => others.push(String(bytes)),
    () => undefined,
    () => true,
  );
  return { splitter, others };
}

describe("splitting what a server sends", () => {
  it("gives each watched message to its handler and each other frame whole to the library, however it is cut", () => {
    fc.assert(
      fc.property(fc.array(sent, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 20 }), (frames, places) => {
        const bytes = Buffer.concat(frames.map((frame) => frame.bytes));
        const { seen, others } = split(cut(bytes, places));
        expect(seen).toEqual(frames.flatMap((frame) => frame.seen ?? []));
        expect(others).toEqual(frames.filter((frame) => frame.seen === null).map((frame) => frame.bytes));
      }),
      { numRuns: 2_000 },
    );
  });

  it("does so byte by byte as well", () => {
    fc.assert(
      fc.property(fc.array(sent, { maxLength: 3 }), (frames) => {
        const bytes = Buffer.concat(frames.map((frame) => frame.bytes));
        const { seen, others } = split([...bytes].map((byte) => Buffer.of(byte)));
        expect(seen).toEqual(frames.flatMap((frame) => frame.seen ?? []));
        expect(others).toEqual(frames.filter((frame) => frame.seen === null).map((frame) => frame.bytes));
      }),
      { numRuns: 100 },
    );
  });

  it("never throws on bytes that are no frames, and hands them to the library, which says so", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 4 }), (chunks) => {
        split(chunks.map((chunk) => Buffer.from(chunk)));
      }),
      { numRuns: 2_000 },
    );
    expect(split([Buffer.from("hello there\r\n")]).others.map(String)).toEqual(["hello there\r\n"]);
  });

  it("lets go of a subscription that is no longer watched", () => {
    const { splitter, others } = recorded();
    splitter.watch(WATCHED, () => expect.unreachable());
    splitter.watch(1, () => undefined);
    splitter.unwatch(WATCHED);
    splitter.take(message("a", WATCHED, null, Buffer.from("x")).bytes);
    expect(others).toEqual(["MSG a 7 1\r\nx\r\n"]);
  });

  it("stands aside while nothing is watched: what it held and what comes go on as they are", () => {
    const { splitter, others } = recorded();
    splitter.take(Buffer.from("PING\r\nMSG a 7 1\r\nx\r\n"));
    splitter.watch(WATCHED, () => expect.unreachable());
    splitter.take(Buffer.from("PING\r\nMSG a 7 1\r"));
    splitter.unwatch(WATCHED);
    splitter.take(Buffer.from("\nx\r\nPO"));
    expect(others).toEqual(["PING\r\nMSG a 7 1\r\nx\r\n", "PING\r\n", "MSG a 7 1\r", "\nx\r\nPO"]);
  });

  it("begins when the library has read to the end of a frame, whatever is in it", () => {
    const seen: string[] = [];
    let isBetween = false;
    const splitter = new FrameSplitter(
      () => undefined,
      () => undefined,
      () => isBetween,
    );
    splitter.watch(WATCHED, ({ bytes, payloadAt, payloadEnd }) =>
      seen.push(bytes.toString("latin1", payloadAt, payloadEnd)),
    );
    splitter.take(Buffer.from("MSG a 7 6\r\nforged\r\n"));
    isBetween = true;
    splitter.take(Buffer.from("MSG a 7 3\r\nold\r\n"));
    splitter.take(Buffer.from("MSG a 7 3\r\nnew\r\n"));
    expect(seen).toEqual(["new"]);
  });
});
