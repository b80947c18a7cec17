import type { ApiError } from "@nats-io/jetstream";
import type { MsgHdrs } from "nats";
import { isWrongRevisionCode } from "./publish-retry.ts";
import { isTransientRefusal } from "./transient.ts";

/** A stream's answer to a publish. `not-available`: nobody answered for the stream, or it has no room for more now. */
export type Ack =
  | { readonly kind: "stored" }
  | { readonly kind: "wrong-revision" }
  | { readonly kind: "not-available"; readonly words: string }
  | { readonly kind: "refused"; readonly code: number; readonly words: string };

/** What came back for a publish: a `Msg`, or the payload of one without headers. */
export interface Answer {
  readonly data: Uint8Array;
  readonly headers?: MsgHdrs | undefined;
}

const STORED: Ack = { kind: "stored" };
const LOWER_S = 0x73;
/** Where `{"stream":…` and `{"error":…` differ. */
const TELLING_BYTE = 2;

/** Hot: a good answer is told by one byte. */
export function readAck({ data, headers }: Answer): Ack {
  if (data[TELLING_BYTE] === LOWER_S) return STORED;
  if (data.byteLength === 0) {
    return { kind: "not-available", words: headers?.description || "nobody answers for the stream" };
  }
  return readRefusal(data);
}

/** What a stored message's answer says of it. `duplicate`: another of the same id is there, and this one was not stored. */
export function storedAt({ data }: Answer): { readonly seq: number; readonly duplicate?: boolean } {
  return JSON.parse(textOf(data));
}

function readRefusal(data: Uint8Array): Ack {
  const { error }: { error?: ApiError } = JSON.parse(textOf(data));
  if (error === undefined) return STORED;
  if (isWrongRevisionCode(error.err_code)) return { kind: "wrong-revision" };
  if (isTransientRefusal(error)) return { kind: "not-available", words: error.description };
  return { kind: "refused", code: error.err_code, words: error.description };
}

function textOf(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("utf8");
}
