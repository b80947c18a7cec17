import { type NatsOptions, startNats } from "./nats-server.ts";
import { type RedisHandle, type RedisOptions, startRedis } from "./redis-server.ts";
import type { ServerHandle } from "./managed-server.ts";

export interface ServerPair {
  readonly nats: ServerHandle;
  readonly redis: RedisHandle;
  stop(): Promise<void>;
}

/** Both servers, ready. Where one does not start, the other does not stay. */
export async function startServerPair(options: { nats?: NatsOptions; redis?: RedisOptions } = {}): Promise<ServerPair> {
  const nats = await startNats(options.nats);
  const redis = await startRedis(options.redis).catch(async (error: unknown) => {
    await nats.stop();
    throw error;
  });
  return {
    nats,
    redis,
    async stop() {
      await Promise.all([nats.stop(), redis.stop()]);
    },
  };
}
