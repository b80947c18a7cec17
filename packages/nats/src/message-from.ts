import { apiRequest } from "./api-request.ts";
import type { NatsClient } from "./connect.ts";

/** Sequence and receipt time of the first message at `seq` or above that is not deleted; null where there is none. */
export async function messageFrom(
  client: NatsClient,
  stream: string,
  seq: number,
): Promise<{ seq: number; receivedAtMs: number } | null> {
  const query = { next_by_subj: ">", seq };
  const message = await apiRequest(`read message ${seq} of stream ${stream}`, () =>
    client.jsm.streams.getMessage(stream, query),
  );
  return message && { seq: message.seq, receivedAtMs: Date.parse(message.timestamp) };
}
