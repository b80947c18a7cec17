import { readFileSync } from "node:fs";
import { errorMessage, UsageError } from "@cim-replay/core";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { withDeadline } from "./deadline.ts";
import type { RedisServer } from "./options.ts";
import { redisError, unreachable } from "./redis-errors.ts";
import { parseRedisUrl } from "./redis-url.ts";

/** How long a call waits for a Redis that is away. */
export const REDIS_PATIENCE_MS = 5_000;

/** One server, or what finds the right one of a cluster. */
export type RedisConnection = Redis | Cluster;

/** Tries again for ever once it was connected: a restart of Redis is no reason to give up. */
function retryDelayMs(attempt: number): number {
  return Math.min(100 * attempt, 1_000);
}

/** Throws UsageError where a URL or a file is none. */
export function createRedis(
  server: RedisServer,
  options: Pick<RedisOptions, "maxRetriesPerRequest" | "lazyConnect">,
): RedisConnection {
  const { nodes, username, password, database, tls: isTls } = parseRedisUrl(server.redisUrl);
  const tls = tlsOf(server, isTls);
  const { lazyConnect = true, ...perRequest } = options;
  const each: Pick<RedisOptions, "connectTimeout" | "maxRetriesPerRequest" | "username" | "password" | "tls"> = {
    connectTimeout: REDIS_PATIENCE_MS,
    ...perRequest,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls !== null && { tls }),
  };
  if (server.redisCluster) {
    return new Cluster([...nodes], { lazyConnect, clusterRetryStrategy: retryDelayMs, redisOptions: each });
  }
  const single = { ...each, lazyConnect, db: database, retryStrategy: retryDelayMs };
  if (server.redisSentinel) {
    const password = sentinelPasswordOf(server);
    return new Redis({
      ...single,
      name: server.redisSentinel,
      ...(password !== null && { sentinelPassword: password }),
      sentinels: [...nodes],
      sentinelRetryStrategy: retryDelayMs,
      ...(tls !== null && { sentinelTLS: tls, enableTLSForSentinelMode: true }),
    });
  }
  const [first, ...others] = nodes;
  if (first === undefined || others.length > 0) {
    throw new UsageError(
      "Cannot use several Redis URLs: a single server has one. Give --redis-sentinel or --redis-cluster, or name one.",
    );
  }
  return new Redis({ ...single, ...first });
}

/** Where BullMQ's scripts run: in a cluster, all keys of the queue must lie on one node, which braces see to. */
export function prefixFor({ redisCluster, prefix }: RedisServer & { readonly prefix: string }): string {
  return redisCluster && !/\{.+\}/.test(prefix) ? `{${prefix}}` : prefix;
}

function sentinelPasswordOf({ redisSentinelPassword, redisSentinelPasswordFile }: RedisServer): string | null {
  if (redisSentinelPassword) return redisSentinelPassword;
  if (!redisSentinelPasswordFile) return null;
  return read("password of the sentinels", redisSentinelPasswordFile).toString("utf8").trimEnd();
}

function tlsOf(
  { redisCa, redisCert, redisKey }: RedisServer,
  isWanted: boolean,
): NonNullable<RedisOptions["tls"]> | null {
  if (!isWanted && !redisCa && !redisCert && !redisKey) return null;
  return {
    ...(redisCa && { ca: read("certificate authority", redisCa) }),
    ...(redisCert && { cert: read("certificate", redisCert) }),
    ...(redisKey && { key: read("key", redisKey) }),
  };
}

function read(what: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(
      `Cannot read the ${what} for Redis from ${path}: ${errorMessage(error)}. Name a file that is there and may be read.`,
    );
  }
}

/** The first connection: fails at once where nobody listens, and after `REDIS_PATIENCE_MS` where nobody answers. */
export async function connectRedis(redis: RedisConnection, { redisUrl, redisSentinel }: RedisServer): Promise<void> {
  let stop: ((error: Error) => void) | undefined;
  const refused = new Promise<never>((_resolve, reject) => {
    stop = reject;
    // A sentinel that is away is no reason to give up on the others.
    if (!redisSentinel && !(redis instanceof Cluster)) redis.on("error", reject);
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
