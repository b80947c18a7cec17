import type { NatsClient } from "./connect.ts";
import { isReadConsumer } from "./reader-consumer.ts";

/** How those fare who use the server beside us. */
export interface LiveSignals {
  /** Round trip of one JetStream API request. */
  readonly apiMs: number;
  /** Durable consumers of the stream that are not ours. */
  readonly consumers: readonly LiveConsumer[];
}

export interface LiveConsumer {
  readonly name: string;
  /** Messages that it was not sent yet, or that nobody has acknowledged. */
  readonly pending: number;
  /** Rises whenever somebody takes messages from it. */
  readonly progress: number;
  /** Somebody waits for its messages. */
  readonly isAwaited: boolean;
}

/** Null where the server did not answer in time, which says the most of all. */
export async function readLiveSignals(client: NatsClient, stream: string): Promise<LiveSignals | null> {
  try {
    const askedAt = performance.now();
    await client.jsm.getAccountInfo();
    const apiMs = performance.now() - askedAt;
    const consumers: LiveConsumer[] = [];
    for await (const info of client.jsm.consumers.list(stream)) {
      if (info.config.durable_name === undefined || isReadConsumer(info.name)) continue;
      consumers.push({
        name: info.name,
        pending: info.num_pending + info.num_ack_pending,
        progress: info.delivered.consumer_seq + info.ack_floor.consumer_seq,
        isAwaited: info.num_waiting > 0 || info.push_bound === true,
      });
    }
    return { apiMs, consumers };
  } catch {
    return null;
  }
}
