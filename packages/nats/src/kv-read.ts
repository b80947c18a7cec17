import type { StoredMsg } from "@nats-io/jetstream";
import type { NatsClient } from "./connect.ts";
import { withRetries } from "./publish-retry.ts";

/**
 * The newest message of a subject (or of a wildcard), as the stream's leader has it: never stale, unlike direct reads,
 * which any replica may answer. Null where there is none.
 */
export function lastMessage(
  client: NatsClient,
  stream: string,
  subject: string,
  what: string,
): Promise<StoredMsg | null> {
  return withRetries(client, what, () => client.jsm.streams.getMessage(stream, { last_by_subj: subject }));
}
