import { deflateSync, inflateSync } from "node:zlib";
import { ReplayError } from "@cim-replay/core";
import { headers, type MsgHdrs } from "nats";
import type { z } from "zod";

/** Only large plans reach this; everything else stays readable with any KV tool. */
const DEFLATE_ABOVE_BYTES = 256 * 1024;
const ENCODING_HEADER = "Content-Encoding";

export interface EncodedRecord {
  readonly data: Uint8Array;
  readonly headers: MsgHdrs;
}

/** JSON, deflated where it is large. Throws ReplayError where even that is more than the server takes. */
export function encodeRecord(key: string, record: unknown, maxPayloadBytes: number): EncodedRecord {
  const json = Buffer.from(JSON.stringify(record));
  const head = headers();
  const deflated = json.byteLength > DEFLATE_ABOVE_BYTES;
  const data = deflated ? deflateSync(json) : json;
  if (deflated) head.set(ENCODING_HEADER, "deflate");
  const roomForHeaders = 1024;
  if (data.byteLength + roomForHeaders > maxPayloadBytes) {
    throw new ReplayError(
      `Cannot write ledger record ${key}: it is ${data.byteLength} bytes and the server takes ${maxPayloadBytes}. ` +
        "Plan fewer partitions, or raise the server's max_payload.",
    );
  }
  return { data, headers: head };
}

/** Throws ReplayError naming the key and the first thing wrong with it. */
export function decodeRecord<T>(key: string, schema: z.ZodType<T>, data: Uint8Array, header: MsgHdrs | undefined): T {
  let parsed: unknown;
  try {
    const json = header?.get(ENCODING_HEADER) === "deflate" ? inflateSync(data) : data;
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch (cause) {
    throw unreadable(key, "it is no JSON", cause);
  }
  const result = schema.safeParse(parsed);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue && issue.path.length > 0 ? `${issue.path.join(".")}: ` : "";
  throw unreadable(key, `${where}${issue?.message ?? "not of the record's shape"}`, result.error);
}

function unreadable(key: string, why: string, cause: unknown): ReplayError {
  return new ReplayError(
    `Cannot read ledger record ${key}: ${why}. ` +
      "Another version may have written it; use that version, or delete the key from the ledger's bucket.",
    { cause },
  );
}
