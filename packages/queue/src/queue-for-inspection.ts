import { Queue } from "bullmq";
import { QUEUE_NAME, type QueueOptions } from "./options.ts";
import { createRedis } from "./redis-client.ts";
import { checkRedisUrl } from "./redis-url.ts";

/** BullMQ's own object of the queue, for tools that show queues; nothing of ours sends or takes units by it. */
export interface QueueForInspection {
  readonly queue: Queue;
  close(): Promise<void>;
}

/** Does not wait for Redis: a call fails while it is away, and works again when it is back. */
export function openQueueForInspection(options: QueueOptions): QueueForInspection {
  checkRedisUrl(options.redisUrl);
  const redis = createRedis(options.redisUrl, { maxRetriesPerRequest: 1 });
  redis.on("error", () => {});
  const queue = new Queue(QUEUE_NAME, { connection: redis, prefix: options.prefix, skipVersionCheck: true });
  queue.on("error", () => {});
  return {
    queue,
    async close() {
      await queue.close().catch(() => undefined);
      redis.disconnect();
    },
  };
}
