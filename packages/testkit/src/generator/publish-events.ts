import { ReplayError } from "@cim-replay/core";
import {
  findStreamsFor,
  type NatsClient,
  type OutgoingMessage,
  type PublishedRange,
  publishAll,
  streamFacts,
} from "@cim-replay/nats";

const SUBJECTS = "events.>";

export interface PublishEventsOptions {
  /** Default EVENTS. Made on `events.>` in files where it is missing. */
  readonly stream?: string;
  readonly events: Iterable<OutgoingMessage>;
  readonly onProgress?: (stored: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Publishes events in their order and returns when all are stored; throws, saying how many are, where not all can be. Throws ReplayError
 * where the stream is missing and another one has its subjects.
 */
export async function publishEvents(client: NatsClient, options: PublishEventsOptions): Promise<PublishedRange> {
  const { stream = "EVENTS", events, onProgress, signal } = options;
  if ((await streamFacts(client, stream)) === null) await makeStream(client, stream);
  return publishAll(client, {
    stream,
    messages: events,
    ...(onProgress ? { onProgress } : {}),
    ...(signal ? { signal } : {}),
  });
}

async function makeStream(client: NatsClient, stream: string): Promise<void> {
  const others = await findStreamsFor(client, [SUBJECTS]);
  if (others.length > 0) {
    throw new ReplayError(
      `Cannot make stream ${stream} on ${SUBJECTS}: stream ${others.join(", ")} listens to these subjects, and no two streams can. ` +
        `Publish to it with --stream ${others[0]}.`,
    );
  }
  await client.jsm.streams.add({ name: stream, subjects: [SUBJECTS], storage: "file" });
}
