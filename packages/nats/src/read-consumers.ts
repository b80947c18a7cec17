import { apiRequest } from "./api-request.ts";
import type { NatsClient } from "./connect.ts";
import { isReadConsumer } from "./reader-consumer.ts";

export interface ReadConsumer {
  readonly name: string;
  readonly createdAt: string;
  /** Last sequence of the stream that it was sent. */
  readonly deliveredSeq: number;
  /** Messages that it has not been sent yet; requests of its reader that wait for some. */
  readonly pending: number;
  readonly requests: number;
}

/** The consumers of a stream that readers of ours made, oldest first; abandoned ones stay for five minutes. */
export async function readConsumers(client: NatsClient, stream: string): Promise<ReadConsumer[]> {
  return await apiRequest(`list the consumers of stream ${stream}`, async () => {
    const found: ReadConsumer[] = [];
    for await (const { name, created, delivered, num_pending, num_waiting } of client.jsm.consumers.list(stream)) {
      if (!isReadConsumer(name)) continue;
      const seq = delivered.stream_seq;
      found.push({ name, createdAt: created, deliveredSeq: seq, pending: num_pending, requests: num_waiting });
    }
    return found.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  });
}
