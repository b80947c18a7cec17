import { type HeaderPair, type Provenance, ReplayError, type StreamMessage } from "@cim-replay/core";
import type { Entry } from "@cim-replay/nats";
import { z } from "zod";

/** As the KV allows them; nothing else may reach a subject or a header. */
const keySchema = z.string().regex(/^[-/_=a-zA-Z0-9]+(?:\.[-/_=a-zA-Z0-9]+)*$/, "no key of an entry");
const headerText = z.string().regex(/^[\x21-\x7e]+$/, "no header value");
const count = z.int().min(0);
const provenanceSchema = z.strictObject({
  run: headerText,
  epoch: count,
  lastSeq: count,
  events: count,
  sha256: headerText,
});

/** UTF-8 is kept as text, so that people can read it; other bytes as base64. */
const bytesSchema = z.union([z.strictObject({ text: z.string() }), z.strictObject({ base64: z.base64() })]);
const entrySchema = z.strictObject({ key: keySchema, value: bytesSchema, provenance: provenanceSchema.nullable() });
/** What would end a header or begin another must not be in one. */
const headerName = z.string().regex(/^[^:\r\n]+$/, "no name of a header");
const headerValue = z.string().regex(/^[^\r\n]*$/, "no value of a header");
const SUBJECT = /^[^\s.*>\0]+(?:\.[^\s.*>\0]+)*$/;
const eventSchema = z.strictObject({
  seq: z.int().min(1),
  subject: z.string().regex(SUBJECT, "no subject of a message"),
  /** Nanoseconds since the epoch, which no number holds. */
  received_at_ns: z.string().regex(/^\d{1,19}$/, "no time"),
  /** Pairs: no name can be taken for anything else. */
  headers: z.array(z.tuple([headerName, headerValue])).readonly(),
  data: bytesSchema,
});

export interface EntryRecord {
  readonly key: string;
  readonly value: Uint8Array;
  /** Null where no replay wrote the entry. */
  readonly provenance: Provenance | null;
}

/** A message as it lay in its stream. */
export interface EventRecord {
  readonly seq: number;
  readonly subject: string;
  readonly receivedAtNs: bigint;
  readonly headers: readonly HeaderPair[];
  readonly data: Uint8Array;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function entryLine({ key, value, provenance }: Entry): string {
  const record = entrySchema.safeParse({ key, value: packBytes(value), provenance });
  if (record.success) return JSON.stringify(record.data);
  throw new ReplayError(
    `Cannot back up entry ${JSON.stringify(key.slice(0, 80))}: ${record.error.issues[0]?.message}. Delete it, or write it again as the KV allows.`,
  );
}

/** Throws an Error in a few words where the line is none. */
export function readEntryLine(line: string): EntryRecord {
  return unpackEntry(parseRecord(entrySchema, line));
}

/** The same of a line whose very bytes `readEntryLine` has read before; costs a fraction. */
export function readEntryLineAgain(line: string): EntryRecord {
  const record: z.infer<typeof entrySchema> = JSON.parse(line);
  return unpackEntry(record);
}

function unpackEntry({ key, value, provenance }: z.infer<typeof entrySchema>): EntryRecord {
  return { key, value: unpackBytes(value), provenance };
}

/** Throws a plain Error where the message could not be read back from its line. */
export function recordOf(message: StreamMessage): EventRecord {
  const { seq, subject, receivedAtNs, headerPairs, data } = message;
  // Some servers take a publish to what is a pattern; nothing could be published there again.
  if (!SUBJECT.test(subject)) {
    throw new ReplayError(
      `Cannot keep message ${seq}: its subject ${JSON.stringify(subject)} is none that can be published to. Delete the message, or leave it out with --from-seq and --to-seq.`,
    );
  }
  if (receivedAtNs === undefined || headerPairs === undefined)
    throw new Error(`message ${seq} came without its headers`);
  return { seq, subject, receivedAtNs, headers: headerPairs, data };
}

/** One text for one message: two are the same only where everything of them is. */
export function eventLine({ seq, subject, receivedAtNs, headers, data }: EventRecord): string {
  return JSON.stringify({ seq, subject, received_at_ns: String(receivedAtNs), headers, data: packBytes(data) });
}

/** As `readEntryLine`. */
export function readEventLine(line: string): EventRecord {
  return unpackEvent(parseRecord(eventSchema, line));
}

/** As `readEntryLineAgain`. */
export function readEventLineAgain(line: string): EventRecord {
  const record: z.infer<typeof eventSchema> = JSON.parse(line);
  return unpackEvent(record);
}

function unpackEvent({ seq, subject, received_at_ns, headers, data }: z.infer<typeof eventSchema>): EventRecord {
  return { seq, subject, receivedAtNs: BigInt(received_at_ns), headers, data: unpackBytes(data) };
}

function parseRecord<Record>(schema: z.ZodType<Record>, line: string): Record {
  const record = schema.safeParse(JSON.parse(line));
  if (record.success) return record.data;
  const [issue] = record.error.issues;
  throw new Error(`${issue?.path.join(".") || "as a whole"}: ${issue?.message}`);
}

function packBytes(bytes: Uint8Array): z.infer<typeof bytesSchema> {
  try {
    return { text: utf8.decode(bytes) };
  } catch {
    return { base64: Buffer.from(bytes).toString("base64") };
  }
}

function unpackBytes(packed: z.infer<typeof bytesSchema>): Uint8Array {
  return "text" in packed ? Buffer.from(packed.text, "utf8") : Buffer.from(packed.base64, "base64");
}
