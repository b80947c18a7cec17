import type { HeaderPair, StreamMessage } from "@cim-replay/core";
import type { EventRecord } from "./records.ts";

/** What a restored message says of the one that it was. */
const PREFIX = "Cim-Replay-Origin-";
const STREAM = `${PREFIX}Stream`;
const SEQ = `${PREFIX}Seq`;
const TIME = `${PREFIX}Time`;
const SUBJECT = `${PREFIX}Subject`;
const OWN: ReadonlySet<string> = new Set([STREAM, SEQ, TIME, SUBJECT]);
const MSG_ID = "Nats-Msg-Id";
/** The name under which a message id is kept that the server would have taken for one it had. */
export const RENAMED_ID = PREFIX + MSG_ID;

/** Names a stream for good: one of the same name that is made anew is another. */
export function originOf({ name, created }: { readonly name: string; readonly created: string }): string {
  return `${name}@${created}`;
}

/**
 * A message's headers as they are published again. What the server acts on (conditions, rollup, times to live) must not
 * work a second time, so those names get a prefix, all but the message id; so do the names below, of a message that
 * was restored once before.
 */
export function restoredHeaders(event: EventRecord, origin: string, subject: string): HeaderPair[] {
  const headers = event.headers.map(([name, value]): HeaderPair => [mustHide(name) ? PREFIX + name : name, value]);
  headers.push([STREAM, origin], [SEQ, String(event.seq)], [TIME, String(event.receivedAtNs)]);
  if (subject !== event.subject) headers.push([SUBJECT, event.subject]);
  return headers;
}

function mustHide(name: string): boolean {
  return name !== MSG_ID && /^(?:nats-|cim-replay-origin-)/i.test(name);
}

/** The message that a restored one was, and its stream; null where it is no restored one. */
export function originalOf(message: StreamMessage): { readonly origin: string; readonly event: EventRecord } | null {
  const pairs = message.headerPairs ?? [];
  if (pairs.length === 0) return null;
  const own = new Map(pairs.filter(([name]) => OWN.has(name)));
  const origin = own.get(STREAM);
  const seq = Number(own.get(SEQ));
  const time = own.get(TIME) ?? "";
  if (origin === undefined || !Number.isSafeInteger(seq) || !/^\d+$/.test(time)) return null;
  const headers = pairs.flatMap(([name, value]): HeaderPair[] => {
    if (OWN.has(name)) return [];
    if (name.startsWith(PREFIX)) return [[name.slice(PREFIX.length), value]];
    // Those of the restore itself.
    return name !== MSG_ID && /^nats-/i.test(name) ? [] : [[name, value]];
  });
  const subject = own.get(SUBJECT) ?? message.subject;
  return { origin, event: { seq, subject, receivedAtNs: BigInt(time), headers, data: message.data } };
}
