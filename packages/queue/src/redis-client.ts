import { Redis, type RedisOptions } from "ioredis";
import { withDeadline } from "./deadline.ts";
import { redisError, unreachable } from "./redis-errors.ts";

/** How long a call waits for a Redis that is away. */
export const REDIS_PATIENCE_MS = 5_000;

/** Tries again for ever once it was connected: a restart of Redis is no reason to give up. */
function retryDelayMs(attempt: number): number {
  return Math.min(100 * attempt, 1_000);
}

export function createRedis(
  redisUrl: string,
  options: Pick<RedisOptions, "maxRetriesPerRequest" | "lazyConnect">,
): Redis {
  return new Redis(redisUrl, {
    lazyConnect: true,
    connectTimeout: REDIS_PATIENCE_MS,
    retryStrategy: retryDelayMs,
    ...options,
  });
}

/** The first connection: fails at once where nobody listens, and after `REDIS_PATIENCE_MS` where nobody answers. */
export async function connectRedis(redis: Redis, redisUrl: string): Promise<void> {
  let stop: ((error: Error) => void) | undefined;
  const refused = new Promise<never>((_resolve, reject) => {
    stop = reject;
    redis.on("error", reject);
  });
  try {
    await withDeadline(Promise.race([redis.connect(), refused]), REDIS_PATIENCE_MS, () =>
      unreachable(redisUrl, `no answer within ${REDIS_PATIENCE_MS / 1_000} s`),
    );
  } catch (error) {
    redis.disconnect();
    throw redisError(redisUrl, error);
  } finally {
    if (stop) redis.off("error", stop);
  }
}
