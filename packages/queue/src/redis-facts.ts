import { errorMessage } from "@cim-replay/core";
import { withDeadline } from "./deadline.ts";
import type { RedisServer } from "./options.ts";
import { connectRedis, createRedis, prefixFor, REDIS_PATIENCE_MS } from "./redis-client.ts";
import { redisError, unreachable } from "./redis-errors.ts";
import { checkRedisUrl } from "./redis-url.ts";
import { isTooOld } from "./server-facts.ts";

export interface RedisFacts {
  readonly version: string;
  readonly isTooOld: boolean;
  readonly role: string;
  /** Null where the server does not say. */
  readonly evictionPolicy: string | null;
  /** 0: no limit. */
  readonly maxMemoryBytes: number;
  readonly usedMemoryBytes: number;
  readonly hasAppendOnlyFile: boolean;
  readonly isCluster: boolean;
  /** Redis' clock minus ours, by half the way there and back. */
  readonly clockAheadMs: number;
  readonly roundTripMs: number;
  /** Redis' own words where a script that writes is refused; null: it is not. */
  readonly writeRefusal: string | null;
}

/** What the queue's scripts do, on a key that is gone after it. */
const TRY_WRITING = "redis.call('SET', KEYS[1], '1', 'PX', 1); return redis.call('DEL', KEYS[1])";

/** Asks a Redis about itself. Throws UnreachableError where it is away or refuses the credentials. */
export async function redisFacts(server: RedisServer & { readonly prefix: string }): Promise<RedisFacts> {
  const { redisUrl } = server;
  checkRedisUrl(redisUrl);
  const redis = createRedis(server, { maxRetriesPerRequest: 1, lazyConnect: true });
  redis.on("error", () => {});
  try {
    await connectRedis(redis, server);
    const asking = async (): Promise<RedisFacts> => {
      const info = infoOf(await redis.info());
      const sentMs = Date.now();
      const [seconds, micros] = await redis.time();
      const receivedMs = Date.now();
      const redisMs = Number(seconds) * 1_000 + Number(micros) / 1_000;
      const writeRefusal = await redis
        .eval(TRY_WRITING, 1, `${prefixFor(server)}:doctor`)
        .then(() => null, errorMessage);
      return {
        ...factsOf(info),
        ...{ clockAheadMs: redisMs - (sentMs + receivedMs) / 2, roundTripMs: receivedMs - sentMs, writeRefusal },
      };
    };
    return await withDeadline(asking(), REDIS_PATIENCE_MS, () =>
      unreachable(redisUrl, `no answer within ${REDIS_PATIENCE_MS / 1_000} s`),
    );
  } catch (error) {
    throw redisError(redisUrl, error);
  } finally {
    redis.disconnect();
  }
}

type Info = ReadonlyMap<string, string>;

function infoOf(text: string): Info {
  const lines = text.split(/\r?\n/).filter((line) => line.includes(":"));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}

function factsOf(info: Info): Omit<RedisFacts, "clockAheadMs" | "roundTripMs" | "writeRefusal"> {
  const version = info.get("redis_version") ?? "0";
  return {
    version,
    isTooOld: isTooOld(version),
    role: info.get("role") ?? "unknown",
    evictionPolicy: info.get("maxmemory_policy") ?? null,
    maxMemoryBytes: Number(info.get("maxmemory") ?? 0),
    usedMemoryBytes: Number(info.get("used_memory") ?? 0),
    hasAppendOnlyFile: info.get("aof_enabled") === "1",
    isCluster: info.get("cluster_enabled") === "1",
  };
}
