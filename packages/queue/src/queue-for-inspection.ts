import type { ReplayError } from "@cim-replay/core";
import { Queue } from "bullmq";
import { QUEUE_NAME, type QueueOptions } from "./options.ts";
import { redisError, unreachable } from "./redis-errors.ts";
import { createRedis, prefixFor } from "./redis-client.ts";

/** BullMQ's own object of the queue, for tools that show queues; nothing of ours sends or takes units by it. */
export interface QueueForInspection {
  readonly queue: Queue;
  /** Throws UnreachableError while there is no connection: calls would wait for the first one for ever. */
  requireReady(): void;
  close(): Promise<void>;
}

/**
 * Does not wait for Redis: a call fails while it is away, and works again when it is back. An outage is told once, when it
 * begins.
 */
export function openQueueForInspection(
  options: QueueOptions,
  onError: (error: ReplayError) => void,
): QueueForInspection {
  const redis = createRedis(options, { maxRetriesPerRequest: 1, lazyConnect: false });
  let outage: ReplayError | null = null;
  redis.on("ready", () => {
    outage = null;
  });
  redis.on("error", (error) => {
    if (outage !== null) return;
    outage = redisError(options.redisUrl, error);
    onError(outage);
  });
  const queue = new Queue(QUEUE_NAME, { connection: redis, prefix: prefixFor(options), skipVersionCheck: true });
  queue.on("error", () => {});
  return {
    queue,
    requireReady() {
      if (redis.status !== "ready") throw outage ?? unreachable(options.redisUrl, "it does not answer");
    },
    async close() {
      await queue.close().catch(() => undefined);
      redis.disconnect();
    },
  };
}
