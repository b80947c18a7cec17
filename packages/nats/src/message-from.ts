import { finerNanos } from "@cim-replay/core";
import { apiRequest } from "./api-request.ts";
import type { NatsClient } from "./connect.ts";

/** When the server received a message. */
export interface Receipt {
  readonly seq: number;
  /** What is finer is cut off. */
  readonly receivedAtMs: number;
  readonly receivedAtNanos: bigint;
}

/** The first message at `seq` or above that is not deleted; null where there is none. */
export async function messageFrom(client: NatsClient, stream: string, seq: number): Promise<Receipt | null> {
  const query = { next_by_subj: ">", seq };
  const message = await apiRequest(`read message ${seq} of stream ${stream}`, () =>
    client.jsm.streams.getMessage(stream, query),
  );
  if (message === null) return null;
  const receivedAtMs = Date.parse(message.timestamp);
  const receivedAtNanos = BigInt(receivedAtMs) * 1_000_000n + BigInt(finerNanos(message.timestamp) ?? 0);
  return { seq: message.seq, receivedAtMs, receivedAtNanos };
}
