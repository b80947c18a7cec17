import { Kind, Parser, type ParserEvent } from "@nats-io/nats-core/internal";
import fc from "fast-check";
import { expect, it } from "vitest";
import { FrameSplitter } from "./frame-splitter.ts";

const WATCHED = 7;

/** What came of some bytes: what was seen in them, in order, and whether they were refused. */
interface Outcome {
  readonly seen: string[];
  refused: boolean;
}

function textOf({ kind, msg, data }: ParserEvent): string {
  const hex = Buffer.from(data ?? []).toString("hex");
  if (kind !== Kind.MSG || !msg) return `${kind} ${hex}`;
  const [subject, reply] = [msg.subject, msg.reply ?? []].map((bytes) => Buffer.from(bytes).toString("hex"));
  return `message ${msg.sid} ${subject} ${reply} ${Math.max(msg.hdr, 0)} ${hex}`;
}

function libraryInto(outcome: Outcome): Parser {
  return new Parser({ push: (event) => void (typeof event === "function" || outcome.seen.push(textOf(event))) });
}

function all(chunks: readonly Buffer[], outcome: Outcome, take: (chunk: Buffer) => void): Outcome {
  try {
    for (const chunk of chunks) take(chunk);
  } catch {
    outcome.refused = true;
  }
  return outcome;
}

function byLibrary(chunks: readonly Buffer[]): Outcome {
  const outcome: Outcome = { seen: [], refused: false };
  const parser = libraryInto(outcome);
  return all(chunks, outcome, (chunk) => parser.parse(chunk));
}

/** Also how many bytes at the end wait for more. */
function bySplitter(chunks: readonly Buffer[]): Outcome & { held: number } {
  const outcome: Outcome = { seen: [], refused: false };
  const parser = libraryInto(outcome);
  const splitter = new FrameSplitter(
    (bytes) => parser.parse(bytes),
    () => undefined,
    () => true,
  );
  splitter.watch(WATCHED, (frame) => {
    const { bytes, subjectAt, subjectEnd, replyAt, replyEnd, headersAt, payloadAt, payloadEnd } = frame;
    const hex = (from: number, to: number) => bytes.toString("hex", from, to);
    const [subject, reply] = [hex(subjectAt, subjectEnd), hex(replyAt, replyEnd)];
    outcome.seen.push(`message ${WATCHED} ${subject} ${reply} ${payloadAt - headersAt} ${hex(headersAt, payloadEnd)}`);
  });
  all(chunks, outcome, (chunk) => splitter.take(chunk));
  return { ...outcome, held: splitter.heldBytes };
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length));
}

const word = fc.constantFrom(
  "a",
  "b.c",
  "7",
  "0",
  "70",
  "3",
  "5",
  "",
  " ",
  "\t",
  "x\ty",
  "_INBOX.1",
  "12345678901",
  "-1",
);
const head = fc.constantFrom(
  "MSG",
  "HMSG",
  "msg",
  "MSGX",
  "PING",
  "ping",
  "PONG",
  "+OK",
  "+ok",
  "-ERR",
  "INFO",
  "info",
  "M",
  "",
);
const lineEnd = fc.constantFrom("\r\n", "\r\n", "\r\n", "\n", "\r", " \r\n", "");
const line = fc
  .tuple(head, fc.array(word, { maxLength: 5 }), lineEnd)
  .map(([first, words, end]) => [first, ...words].join(" ") + end);
const payload = fc.constantFrom(
  "abc\r\n",
  "abc",
  "abcd\r\n",
  "",
  "\r\n",
  "NATS/1.0\r\n\r\nabc\r\n",
  "MSG a 7 3\r\nabc\r\n",
);
/** A frame that servers write, so that hostile ones come in the middle of others. */
const good = fc.constantFrom(
  "MSG a 7 3\r\nabc\r\n",
  "MSG a 7 re.ply 0\r\n\r\n",
  "MSG a 1 3\r\nabc\r\n",
  "HMSG a 7 r 12 15\r\nNATS/1.0\r\n\r\nabc\r\n",
  "HMSG a 7 12 15\r\nNATS/1.0\r\n\r\nabc\r\n",
  "HMSG a 7 r 12 12\r\nNATS/1.0\r\n\r\n\r\n",
  "HMSG a 7 r 13 12\r\nNATS/1.0\r\n\r\n\r\n",
  "HMSG a 7 r 0 3\r\nabc\r\n",
  "PING\r\n",
  "-ERR 'no'\r\n",
);
const hostile = fc.oneof(
  { weight: 3, arbitrary: good },
  { weight: 2, arbitrary: fc.tuple(line, payload).map((parts) => parts.join("")) },
  fc.string({ unit: fc.constantFrom(..."MSGHPIN+-OK 7013\r\n\ta{"), maxLength: 20 }),
);

/**
 * What waits for its end, the library has been told nothing of. In a carriage return that ends no line it sees different things
 * depending on where chunks end: nobody can see the same.
 */
function sameAsLibrary(bytes: Buffer, chunks: readonly Buffer[]): void {
  fc.pre(!/\r(?!\n)/.test(bytes.toString("latin1")));
  const { held, ...outcome } = bySplitter(chunks);
  expect(outcome).toEqual(byLibrary([bytes.subarray(0, bytes.length - held)]));
}

it("sees in hostile bytes, however they are cut, what the library's parser sees, and refuses what it refuses", () => {
  fc.assert(
    fc.property(fc.array(hostile, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 12 }), (frames, places) => {
      const bytes = Buffer.from(frames.join(""));
      sameAsLibrary(bytes, cut(bytes, places));
    }),
    { numRuns: 20_000 },
  );
});

it("sees the same where single bytes of what a server sends were changed", () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 });
  fc.assert(
    fc.property(
      fc.array(good, { minLength: 1, maxLength: 6 }),
      changes,
      fc.array(fc.nat()),
      (frames, changed, places) => {
        const bytes = Buffer.from(frames.join(""));
        for (const [at, byte] of changed) bytes[at % bytes.length] = byte;
        sameAsLibrary(bytes, cut(bytes, places));
      },
    ),
    { numRuns: 20_000 },
  );
});

it("does not wait for the end of a line that no server would send", () => {
  expect(bySplitter([Buffer.from("hello there")])).toMatchObject({ refused: true, held: 0 });
});
