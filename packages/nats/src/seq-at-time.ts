import { ReplayError } from "@cim-replay/core";
import type { NatsClient } from "./connect.ts";
import { messageFrom, type Receipt } from "./message-from.ts";
import { streamFacts } from "./stream-info.ts";

/**
 * Sequence of the first message that the server received at or after `timeMs`, or of the last at or before it; null
 * where there is none. Compared in whole milliseconds, as `receivedAtMs` has them. Exact also over deleted messages:
 * a binary search (about 40 requests) and no consumer by start time, which older servers place wrongly. Expects what
 * a stream on one server promises: receipt times never fall along the stream.
 */
export async function seqAtTime(
  client: NatsClient,
  stream: string,
  timeMs: number,
  which: "first-at-or-after" | "last-at-or-before",
): Promise<number | null> {
  const borderMs = which === "first-at-or-after" ? timeMs : timeMs + 1;
  const found = await border(client, stream, ({ receivedAtMs }) => receivedAtMs >= borderMs);
  return which === "first-at-or-after" ? found.firstAfter : found.lastBefore;
}

/** As `seqAtTime` for the last message at or before a time in nanoseconds since the epoch, to the nanosecond. */
export async function lastSeqAtNanos(client: NatsClient, stream: string, timeNanos: bigint): Promise<number | null> {
  return (await border(client, stream, ({ receivedAtNanos }) => receivedAtNanos > timeNanos)).lastBefore;
}

async function border(
  client: NatsClient,
  stream: string,
  isAfter: (message: Receipt) => boolean,
): Promise<{ lastBefore: number | null; firstAfter: number | null }> {
  const facts = await streamFacts(client, stream);
  if (!facts) throw new ReplayError(`Cannot search stream ${stream} by time: there is no such stream. Check its name.`);
  let low = facts.firstSeq;
  let high = facts.lastSeq + 1;
  let lastBefore: number | null = null;
  let firstAfter: number | null = null;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const message = await messageFrom(client, stream, middle);
    if (message === null) high = middle;
    else if (isAfter(message)) {
      high = middle;
      firstAfter = message.seq;
    } else {
      low = message.seq + 1;
      lastBefore = message.seq;
    }
  }
  return { lastBefore, firstAfter };
}
