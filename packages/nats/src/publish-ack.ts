import type { ApiError } from "@nats-io/jetstream";
import type { Msg } from "nats";
import { isWrongRevisionCode } from "./publish-retry.ts";
import { isTransientRefusal } from "./transient.ts";

/** A stream's answer to a publish. `not-available`: nobody answered for the stream, or it has no room for more now. */
export type Ack =
  | { readonly kind: "stored" }
  | { readonly kind: "wrong-revision" }
  | { readonly kind: "not-available"; readonly words: string }
  | { readonly kind: "refused"; readonly code: number; readonly words: string };

const STORED: Ack = { kind: "stored" };
const LOWER_S = 0x73;
/** Where `{"stream":…` and `{"error":…` differ. */
const TELLING_BYTE = 2;

/** Hot: a good answer is told by one byte. */
export function readAck(message: Msg): Ack {
  const data = message.data;
  if (data[TELLING_BYTE] === LOWER_S) return STORED;
  if (data.byteLength === 0) {
    return { kind: "not-available", words: message.headers?.description || "nobody answers for the stream" };
  }
  return readRefusal(message);
}

/** Sequence that a stored message got. */
export function storedSeq(message: Msg): number {
  return message.json<{ seq: number }>().seq;
}

function readRefusal(message: Msg): Ack {
  const { error } = message.json<{ error?: ApiError }>();
  if (error === undefined) return STORED;
  if (isWrongRevisionCode(error.err_code)) return { kind: "wrong-revision" };
  if (isTransientRefusal(error)) return { kind: "not-available", words: error.description };
  return { kind: "refused", code: error.err_code, words: error.description };
}
