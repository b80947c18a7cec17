import { availableParallelism, homedir } from "node:os";
import { join } from "node:path";
import type { z } from "zod";
import {
  bytesOrNone,
  count,
  countAutoOrNone,
  countOrAuto,
  countOrNone,
  countOrZero,
  durationMs,
  flag,
  flagOrAuto,
  oneOf,
  port,
  projections,
  text,
  textOrNone,
  url,
  workerBytesOrNone,
} from "./values.ts";

/** One setting under its three spellings: `--batch-size`, `batch-size:` in the file, `CIM_REPLAY_BATCH_SIZE`. */
export interface Setting<Value> {
  readonly flag: string;
  readonly help: string;
  readonly schema: z.ZodType<Value>;
  readonly fallback: Value;
  /** The fallback in words, where its value alone would not do. */
  readonly fallbackText: string;
  readonly env: string;
  /** The flag may be given several times. */
  readonly repeats: boolean;
}

function setting<Value>(
  spelled: string,
  help: string,
  schema: z.ZodType<Value>,
  fallback: NoInfer<Value>,
  spelling: { env?: string; fallbackText?: string; repeats?: boolean } = {},
): Setting<Value> {
  const env = spelling.env ?? `CIM_REPLAY_${keyOf(spelled).toUpperCase().replaceAll("-", "_")}`;
  return {
    flag: spelled,
    help,
    schema,
    fallback,
    env,
    fallbackText: spelling.fallbackText ?? String(fallback ?? "none"),
    repeats: spelling.repeats ?? false,
  };
}

/** `--batch-size <events>` is `batch-size` in a file. */
export function keyOf(spelled: string): string {
  return spelled.split(" ")[0]?.replace(/^--/, "") ?? spelled;
}

const cores = availableParallelism();

/** Where a user's programs keep what outlives them. */
function stateFolder(): string {
  return process.env.XDG_STATE_HOME || join(homedir(), ".local", "state");
}

/** Every setting there is, in the order in which a reader needs them; the sections of the documentation follow it. */
export const settings = {
  natsUrl: setting(
    "--nats-url <url>",
    "NATS server; several separated by commas",
    url("nats", "tls", "ws", "wss"),
    "nats://127.0.0.1:4222",
    { env: "NATS_URL" },
  ),
  context: setting(
    "--context <name>",
    "context of the `nats` tool; none: also not the selected one",
    textOrNone,
    null,
    {
      env: "NATS_CONTEXT",
      fallbackText: "the selected one",
    },
  ),
  natsUser: setting("--nats-user <name>", "user of NATS", textOrNone, null, { env: "NATS_USER" }),
  natsPassword: setting("--nats-password <text>", "its password", textOrNone, null, { env: "NATS_PASSWORD" }),
  natsPasswordFile: setting("--nats-password-file <file>", "file with the user's password", textOrNone, null),
  natsToken: setting("--nats-token <text>", "token instead of a user", textOrNone, null, { env: "NATS_TOKEN" }),
  natsTokenFile: setting("--nats-token-file <file>", "file with a token", textOrNone, null),
  natsCreds: setting("--nats-creds <file>", "credentials file: a user's JWT and seed", textOrNone, null, {
    env: "NATS_CREDS",
  }),
  natsNkey: setting("--nats-nkey <file>", "file with an nkey's seed", textOrNone, null, { env: "NATS_NKEY" }),
  natsUserJwt: setting("--nats-user-jwt <text>", "a user's JWT", textOrNone, null),
  natsCert: setting("--nats-cert <file>", "client certificate (PEM)", textOrNone, null, { env: "NATS_CERT" }),
  natsKey: setting("--nats-key <file>", "its key (PEM)", textOrNone, null, { env: "NATS_KEY" }),
  natsCa: setting("--nats-ca <file>", "certificate authority of the server (PEM)", textOrNone, null, {
    env: "NATS_CA",
  }),
  natsTlsFirst: setting("--nats-tls-first", "TLS before the server's greeting", flag, false),
  natsJetstreamDomain: setting("--nats-jetstream-domain <name>", "JetStream's domain", textOrNone, null),
  natsJetstreamApiPrefix: setting(
    "--nats-jetstream-api-prefix <subject>",
    "prefix of JetStream's API, where another account's is imported",
    textOrNone,
    null,
  ),
  natsInboxPrefix: setting("--nats-inbox-prefix <subject>", "what subjects for answers begin with", textOrNone, null, {
    fallbackText: "_INBOX",
  }),
  natsReplicas: setting(
    "--nats-replicas <n|auto>",
    "replicas of the ledger, of buckets and all else that is made; auto: 3 in a cluster with room for them",
    countOrAuto,
    "auto",
  ),
  redisUrl: setting(
    "--redis-url <url>",
    "Redis server for the work queue; several separated by commas are sentinels or nodes of a cluster",
    url("redis", "rediss"),
    "redis://127.0.0.1:6379",
    { env: "REDIS_URL" },
  ),
  redisCa: setting("--redis-ca <file>", "certificate authority of Redis (PEM)", textOrNone, null, { env: "REDIS_CA" }),
  redisCert: setting("--redis-cert <file>", "client certificate for Redis (PEM)", textOrNone, null, {
    env: "REDIS_CERT",
  }),
  redisKey: setting("--redis-key <file>", "its key (PEM)", textOrNone, null, { env: "REDIS_KEY" }),
  redisSentinel: setting(
    "--redis-sentinel <name>",
    "name of the master whose sentinels --redis-url names",
    textOrNone,
    null,
  ),
  redisSentinelPassword: setting("--redis-sentinel-password <text>", "the sentinels' own password", textOrNone, null),
  redisSentinelPasswordFile: setting(
    "--redis-sentinel-password-file <file>",
    "file with the sentinels' own password",
    textOrNone,
    null,
  ),
  redisCluster: setting("--redis-cluster", "--redis-url names nodes of a Redis Cluster", flag, false),
  queuePrefix: setting(
    "--queue-prefix <text>",
    "prefix of the queue's keys in Redis; workers and commands must share it",
    text,
    "cim-replay",
  ),
  lockDuration: setting(
    "--lock-duration <time>",
    "how long a silent worker keeps its unit; the same everywhere",
    durationMs,
    4000,
    { fallbackText: "4s" },
  ),
  stalledInterval: setting(
    "--stalled-interval <time>",
    "how often the queue looks for silent workers; the same everywhere",
    durationMs,
    1000,
    { fallbackText: "1s" },
  ),
  target: setting(
    "--target <bucket>",
    "bucket to write: `projection` is CIM_PROJECTIONS, another word its own",
    text,
    "projection",
  ),
  projection: setting(
    "--projection <name or file>",
    "built-in projection or a file (.ts, .js, .mjs); several, each as NAME=BUCKET, are folded in one pass",
    projections,
    null,
    { fallbackText: "the domain's", repeats: true },
  ),
  timeBasis: setting(
    "--time-basis <event|server>",
    "whose time --from-time and --to-time mean",
    oneOf("event", "server"),
    "event",
  ),
  parallel: setting("--parallel <n>", "upper bound on units at work", count, cores, {
    fallbackText: "number of cores",
  }),
  source: setting(
    "--source <auto|direct|shuffle>",
    "direct: every unit reads the stream; shuffle: it is read once and packed for them; auto: by cost",
    oneOf("auto", "direct", "shuffle"),
    "auto",
  ),
  units: setting("--units <n>", "forces the number of work units", countOrNone, null, {
    fallbackText: "planner's choice",
  }),
  localWorkers: setting(
    "--local-workers <n|auto|0>",
    "worker processes to run here; auto: only where none is connected",
    countOrAuto,
    "auto",
  ),
  concurrency: setting("--concurrency <n>", "units that one worker process has at work", count, 1),
  readThread: setting(
    "--read-thread <auto|on|off>",
    "reads the stream on a thread beside the fold's; auto: local workers do where a core is free",
    oneOf("auto", "on", "off"),
    "auto",
  ),
  batchSize: setting("--batch-size <events>", "messages handled between two turns of the event loop", count, 1000),
  prefetch: setting("--prefetch <events>", "messages asked of the server ahead of the fold", count, 10_000),
  bufferSize: setting("--buffer-size <events>", "messages that may wait in a worker", count, 100_000),
  maxRate: setting("--max-rate <events>", "events a second at most, of all workers together", countOrNone, null),
  maxBytesRate: setting(
    "--max-bytes-rate <size>",
    "bytes a second at most that all workers together read of the stream, e.g. 10M",
    bytesOrNone,
    null,
  ),
  adaptiveRate: setting(
    "--adaptive-rate",
    "slows the run while JetStream answers slowly or other consumers of the stream fall behind",
    flag,
    false,
  ),
  memoryLimit: setting("--memory-limit <size>", "of each worker process, e.g. 8G", workerBytesOrNone, null),
  bufferMode: setting(
    "--buffer-mode <auto|memory|disk>",
    "where states wait for events: auto: in memory, and in a temporary file when --memory-limit is near",
    oneOf("auto", "memory", "disk"),
    "auto",
  ),
  gcInterval: setting("--gc-interval <events>", "forces a garbage collection every so many events", countOrNone, null, {
    fallbackText: "never",
  }),
  reader: setting(
    "--reader <own|library>",
    "who takes messages out of what NATS sends: a parser of our own, or the client library's",
    oneOf("own", "library"),
    "own",
  ),
  checkpointInterval: setting(
    "--checkpoint-interval <events>",
    "events of a unit between checkpoints; auto: every ten seconds",
    countAutoOrNone,
    "auto",
  ),
  checkpointDir: setting("--checkpoint-dir <folder>", "also keeps a copy of the run's ledger here", textOrNone, null),
  backupFirst: setting(
    "--backup-first",
    "keeps what the target holds before anything is written; auto: of whole domains",
    flagOrAuto,
    "auto",
  ),
  backupDir: setting(
    "--backup-dir <folder>",
    "where archives made before runs are kept",
    text,
    join(stateFolder(), "cim-replay", "backups"),
    { fallbackText: "~/.local/state/cim-replay/backups" },
  ),
  backupKeep: setting(
    "--backup-keep <n>",
    "how many automatic backups of the same entries stay; none: all",
    countOrNone,
    5,
  ),
  skipErrors: setting("--skip-errors <n>", "goes on over up to n bad events", countOrZero, 0),
  certify: setting(
    "--certify <none|counts|content|full>",
    "what the verifier proves before a run is completed: counts, content, full, none",
    oneOf("none", "counts", "content", "full"),
    "counts",
  ),
  metricsPort: setting(
    "--metrics-port <port>",
    "serves /metrics, /healthz, /readyz; 0: any free port; off: none",
    port,
    9091,
  ),
  dashboardUser: setting("--dashboard-user <name>", "user of the dashboard's login", textOrNone, null),
  dashboardPassword: setting("--dashboard-password <text>", "its password", textOrNone, null),
  dashboardPasswordFile: setting("--dashboard-password-file <file>", "file with that password", textOrNone, null),
  logLevel: setting(
    "--log-level <level>",
    "of the log on stderr; debug also shows stack traces",
    oneOf("trace", "debug", "info", "warn", "error", "silent"),
    "warn",
  ),
  logFile: setting("--log-file <file>", "appends a log (info and up, JSON lines)", textOrNone, null),
} as const;

export type SettingName = keyof typeof settings;
export type Settings = {
  readonly [Name in SettingName]: (typeof settings)[Name] extends Setting<infer Value> ? Value : never;
};

export const settingNames = Object.keys(settings).filter((name): name is SettingName => name in settings);
