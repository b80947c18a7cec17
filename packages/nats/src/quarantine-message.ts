import { hash } from "node:crypto";
import type { EventHeaders } from "@cim-replay/core";
import { headers, type MsgHdrs } from "nats";
import { z } from "zod";
import { fitHeaders, headerJson, headersFrom, shorten } from "./quarantine-text.ts";

/** An event that could not be decoded or folded, as it was on its stream, and why it is here. */
export interface QuarantinedEvent {
  readonly runId: string;
  readonly domain: string;
  readonly unit: string;
  readonly stream: string;
  readonly seq: number;
  readonly subject: string;
  readonly aggregateId: string | null;
  readonly kind: "decode" | "evolve" | "encode";
  readonly reason: string;
  /** Whose fold it could not be put into; absent in what older versions kept. */
  readonly projection?: string | undefined;
  /** The bucket of that projection, where the run has several: each keeps its own. */
  readonly target?: string | undefined;
  readonly data: Uint8Array;
  readonly headers: EventHeaders | undefined;
  /** Set where the original was too large to keep whole: `data` is then its beginning, and this the whole. */
  readonly cut?: { readonly bytes: number; readonly sha256: string };
}

/** The facts, each as JSON text in a header: what JSON escapes cannot break one. */
const HEADERS = {
  runId: "Cim-Replay-Run",
  domain: "Cim-Replay-Domain",
  unit: "Cim-Replay-Unit",
  stream: "Cim-Replay-Stream",
  seq: "Cim-Replay-Seq",
  subject: "Cim-Replay-Subject",
  aggregateId: "Cim-Replay-Aggregate-Id",
  kind: "Cim-Replay-Kind",
  reason: "Cim-Replay-Reason",
  projection: "Cim-Replay-Projection",
  target: "Cim-Replay-Target",
  /** The producer's headers as pairs, all in one: under their own names the server would act on some of them. */
  original: "Cim-Replay-Original-Headers",
  cut: "Cim-Replay-Cut",
} as const;
type HeaderFact = keyof typeof HEADERS;

const factsSchema = z.object({
  runId: z.string(),
  domain: z.string(),
  unit: z.string(),
  stream: z.string(),
  seq: z.int(),
  subject: z.string(),
  aggregateId: z.string().nullable(),
  kind: z.enum(["decode", "evolve", "encode"]),
  reason: z.string(),
  projection: z.string().optional(),
  target: z.string().optional(),
  original: z.array(z.tuple([z.string(), z.string()])).optional(),
  cut: z.object({ bytes: z.int(), sha256: z.string() }).optional(),
});
type Facts = z.infer<typeof factsSchema>;

/** The server takes 64 KiB of headers a message: these bounds leave room for all, also where every character is escaped. */
const MAX_ID_CHARACTERS = 1_000;
const MAX_REASON_CHARACTERS = 2_000;
const MAX_ORIGINAL_HEADERS_BYTES = 24_000;
const ROOM_FOR_CUT_BYTES = 256;

export interface QuarantineMessage {
  readonly headers: MsgHdrs;
  readonly data: Uint8Array;
}

/** Ids, reasons and headers that are too long are cut and say so; a payload is cut to what the server takes. */
export function encodeQuarantined(event: QuarantinedEvent, maxPayloadBytes: number): QuarantineMessage {
  const { runId, domain, unit, stream, seq, subject, kind, aggregateId, projection, target, data } = event;
  const original = event.headers && fitHeaders(event.headers, MAX_ORIGINAL_HEADERS_BYTES);
  const leftOut = original?.leftOut ? ` (${original.leftOut} of its headers left out)` : "";
  const message = writeFacts({
    ...{ runId, domain, unit, stream, seq, subject, kind },
    aggregateId: aggregateId === null ? null : shorten(aggregateId, MAX_ID_CHARACTERS),
    reason: shorten(event.reason, MAX_REASON_CHARACTERS) + leftOut,
    ...(projection !== undefined && { projection: shorten(projection, MAX_ID_CHARACTERS) }),
    ...(target !== undefined && { target }),
    ...(original ? { original: original.pairs.map(([name, value]): [string, string] => [name, value]) } : {}),
  });
  const room = Math.max(0, maxPayloadBytes - encodedSize(message) - ROOM_FOR_CUT_BYTES);
  if (data.byteLength <= room) return { headers: message, data };
  message.set(HEADERS.cut, headerJson({ bytes: data.byteLength, sha256: hash("sha256", data) }));
  return { headers: message, data: data.subarray(0, room) };
}

/** Null where the message is none of `encodeQuarantined`. */
export function decodeQuarantined({ headers: message, data }: QuarantineMessage): QuarantinedEvent | null {
  const facts = readFacts(message);
  if (facts === null) return null;
  const { original, cut, ...rest } = facts;
  return { ...rest, data, headers: original && headersFrom(original), ...(cut ? { cut } : {}) };
}

function writeFacts(facts: Facts): MsgHdrs {
  const message = headers();
  for (const fact of Object.keys(HEADERS) as HeaderFact[]) {
    if (facts[fact] !== undefined) message.set(HEADERS[fact], headerJson(facts[fact]));
  }
  return message;
}

function readFacts(message: MsgHdrs): Facts | null {
  const facts: Partial<Record<HeaderFact, unknown>> = {};
  try {
    for (const fact of Object.keys(HEADERS) as HeaderFact[]) {
      if (message.has(HEADERS[fact])) facts[fact] = JSON.parse(message.get(HEADERS[fact]));
    }
  } catch {
    return null;
  }
  const parsed = factsSchema.safeParse(facts);
  return parsed.success ? parsed.data : null;
}

function encodedSize(message: MsgHdrs): number {
  let bytes = 64;
  for (const [name, values] of message) for (const value of values) bytes += name.length + value.length + 4;
  return bytes;
}
