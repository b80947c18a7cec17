import { devNull } from "node:os";
import type { Settings } from "../settings/definitions.ts";

const MIB = 2 ** 20;
/** The rest of the limit is for what the collector does not manage: socket buffers, packed checkpoints, code. */
const HEAP_SHARE = 0.75;
const LEAST_REST_BYTES = 96 * MIB;
const LEAST_HEAP_MIB = 64;
const ROOMY_BYTES = 2 ** 30;
/** Where memory is short by the user's own word, and time is not. */
const SCANT_SEMI_SPACE_MIB = 8;
/**
 * How large the old generation may grow before the collector first marks it. V8 would begin at a few MiB, and what comes in by
 * sockets counts as growth: a worker that packs segments was marked from end to end ten times a second, for a sixth of its time.
 */
const UNMARKED_MIB = 256;

/** What a parent tells its workers when the log was moved away. A signal would end one that does not listen yet. */
export const REOPEN_LOG = "reopen-log";

/** Flags of the Node that runs a local worker. */
export function nodeFlags({
  memoryLimit,
  gcInterval,
  bufferMode,
}: Pick<Settings, "memoryLimit" | "gcInterval" | "bufferMode">): string[] {
  const semiSpace = bufferMode === "disk" ? SCANT_SEMI_SPACE_MIB : semiSpaceMib(memoryLimit);
  const flags = [`--max-semi-space-size=${semiSpace}`];
  if (isRoomy(memoryLimit)) flags.push(`--initial-old-space-size=${UNMARKED_MIB}`);
  if (memoryLimit !== null) {
    flags.push(`--max-old-space-size=${heapMib(memoryLimit, bufferMode)}`);
  }
  if (gcInterval !== null) flags.push("--expose-gc");
  return flags;
}

/** Where nothing may move to disk, Node would else end the process before the worker itself says what is too much. */
function heapMib(memoryLimit: number, bufferMode: Settings["bufferMode"]): number {
  if (bufferMode === "memory") return Math.ceil(memoryLimit / MIB);
  const heapBytes = Math.min(memoryLimit * HEAP_SHARE, memoryLimit - LEAST_REST_BYTES);
  return Math.max(LEAST_HEAP_MIB, Math.floor(heapBytes / MIB));
}

/**
 * A small young generation promotes events that are garbage a moment later. Three such spaces may be in use at once, so
 * that a tight limit has no room for the better size.
 */
function semiSpaceMib(memoryLimit: number | null): number {
  if (isRoomy(memoryLimit)) return 64;
  return memoryLimit !== null && memoryLimit >= ROOMY_BYTES / 2 ? 32 : SCANT_SEMI_SPACE_MIB;
}

function isRoomy(memoryLimit: number | null): boolean {
  return memoryLimit === null || memoryLimit >= ROOMY_BYTES;
}

/** By environment and not by flags, where `ps` would show a URL's password to everybody. */
export function workerEnvironment(settings: Settings): Record<string, string> {
  return {
    NATS_URL: settings.natsUrl,
    // What a context gave is here already.
    NATS_CONTEXT: "none",
    NATS_USER: settings.natsUser ?? "none",
    NATS_PASSWORD: settings.natsPassword ?? "none",
    CIM_REPLAY_NATS_PASSWORD_FILE: settings.natsPasswordFile ?? "none",
    NATS_TOKEN: settings.natsToken ?? "none",
    CIM_REPLAY_NATS_TOKEN_FILE: settings.natsTokenFile ?? "none",
    NATS_CREDS: settings.natsCreds ?? "none",
    NATS_NKEY: settings.natsNkey ?? "none",
    CIM_REPLAY_NATS_USER_JWT: settings.natsUserJwt ?? "none",
    NATS_CERT: settings.natsCert ?? "none",
    NATS_KEY: settings.natsKey ?? "none",
    NATS_CA: settings.natsCa ?? "none",
    CIM_REPLAY_NATS_TLS_FIRST: String(settings.natsTlsFirst),
    CIM_REPLAY_NATS_JETSTREAM_DOMAIN: settings.natsJetstreamDomain ?? "none",
    CIM_REPLAY_NATS_JETSTREAM_API_PREFIX: settings.natsJetstreamApiPrefix ?? "none",
    CIM_REPLAY_NATS_INBOX_PREFIX: settings.natsInboxPrefix ?? "none",
    CIM_REPLAY_NATS_REPLICAS: String(settings.natsReplicas),
    REDIS_URL: settings.redisUrl,
    REDIS_CA: settings.redisCa ?? "none",
    REDIS_CERT: settings.redisCert ?? "none",
    REDIS_KEY: settings.redisKey ?? "none",
    CIM_REPLAY_REDIS_SENTINEL: settings.redisSentinel ?? "none",
    CIM_REPLAY_REDIS_SENTINEL_PASSWORD: settings.redisSentinelPassword ?? "none",
    CIM_REPLAY_REDIS_SENTINEL_PASSWORD_FILE: settings.redisSentinelPasswordFile ?? "none",
    CIM_REPLAY_REDIS_CLUSTER: String(settings.redisCluster),
    CIM_REPLAY_QUEUE_PREFIX: settings.queuePrefix,
    CIM_REPLAY_LOCK_DURATION: `${settings.lockDuration}ms`,
    CIM_REPLAY_STALLED_INTERVAL: `${settings.stalledInterval}ms`,
    CIM_REPLAY_CONCURRENCY: String(settings.concurrency),
    CIM_REPLAY_READ_THREAD: settings.readThread,
    CIM_REPLAY_METRICS_PORT: "off",
    CIM_REPLAY_LOG_LEVEL: settings.logLevel,
    CIM_REPLAY_LOG_FILE: settings.logFile ?? "none",
    // All is said above: a settings file that lies about here is not this worker's.
    CIM_REPLAY_CONFIG: devNull,
  };
}
