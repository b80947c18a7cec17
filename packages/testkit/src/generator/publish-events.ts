import { type NatsClient, type PublishedRange, publishAll, streamFacts } from "@cim-replay/nats";

export interface PublishEventsOptions {
  /** Default EVENTS. Made on `events.>` in files where it is missing. */
  readonly stream?: string;
  readonly events: Iterable<{ readonly subject: string; readonly data: Uint8Array }>;
  readonly onProgress?: (stored: number) => void;
  readonly signal?: AbortSignal;
}

/** Publishes events in their order and returns when all are stored; throws, saying how many are, where not all can be. */
export async function publishEvents(client: NatsClient, options: PublishEventsOptions): Promise<PublishedRange> {
  const { stream = "EVENTS", events, onProgress, signal } = options;
  if ((await streamFacts(client, stream)) === null) {
    await client.jsm.streams.add({ name: stream, subjects: ["events.>"], storage: "file" });
  }
  return publishAll(client, {
    stream,
    messages: events,
    ...(onProgress ? { onProgress } : {}),
    ...(signal ? { signal } : {}),
  });
}
