/** How Redis is reached. Files are named by path and read when connecting. */
export interface RedisServer {
  /**
   * `redis://` or `rediss://`, with credentials where needed: they never show in errors or logs. Several, separated by
   * commas, are sentinels or nodes of a cluster.
   */
  readonly redisUrl: string;
  readonly redisCa?: string | null;
  readonly redisCert?: string | null;
  readonly redisKey?: string | null;
  /** What sentinels call the master; null: no sentinels. */
  readonly redisSentinel?: string | null;
  /** Of the sentinels themselves, where they ask for one; the URL's is the master's. */
  readonly redisSentinelPassword?: string | null;
  /** A file with it; counts where no password is given. */
  readonly redisSentinelPasswordFile?: string | null;
  readonly redisCluster?: boolean;
}

/** Where units are dispatched, and how soon a dead worker's unit goes to another. The same for all processes of a queue. */
export interface QueueOptions extends RedisServer {
  /** Before every key in Redis. */
  readonly prefix: string;
  /** A worker that gives no sign of life for so long has lost its job. */
  readonly lockDurationMs: number;
  /** How often lost jobs are looked for. All workers must use the same: the laziest would delay the others. */
  readonly stalledIntervalMs: number;
  /** Whether jobs carry the span of who sent them. */
  readonly traced?: boolean;
}

export const QUEUE_DEFAULTS = {
  redisUrl: "redis://127.0.0.1:6379",
  prefix: "cim-replay",
  lockDurationMs: 4_000,
  stalledIntervalMs: 1_000,
} as const satisfies QueueOptions;

/** BullMQ's name of the one queue; the prefix tells installations apart. */
export const QUEUE_NAME = "units";
