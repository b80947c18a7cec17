import { ReplayError, UnreachableError } from "@cim-replay/core";
import { type Job, WaitingError, Worker } from "bullmq";
import { Cluster } from "ioredis";
import { withDeadline } from "./deadline.ts";
import { LostLocks } from "./lost-locks.ts";
import { QUEUE_NAME, type QueueOptions, type RedisServer } from "./options.ts";
import { createRedis, prefixFor, REDIS_PATIENCE_MS, type RedisConnection } from "./redis-client.ts";
import { redisError, unreachable } from "./redis-errors.ts";
import { checkRedisUrl } from "./redis-url.ts";
import { telemetryOf } from "./telemetry.ts";
import { type UnitJob, unitJobSchema } from "./unit-job.ts";

/** A unit whose worker dies may be sent again as often as needed: the ledger counts failures, not Redis. */
const ENDLESS_STALLS = 1_000_000;

export interface UnitConsumer {
  /** Shows in Redis' list of clients. */
  readonly workerId: string;
  /** Units handled at the same time. */
  readonly concurrency: number;
  /**
   * Does the unit. The signal aborts when the consumer is closed, and for nothing else: a job that Redis lost or gave to
   * another is the ledger's to fence. Must yield to the event loop more often than the lock lasts.
   */
  handle(job: UnitJob, signal: AbortSignal): Promise<void>;
  /** What went wrong while consuming, including what `handle` throws; Redis' absence is told once per outage, a lock once per job. */
  onError(error: Error): void;
}

export interface UnitWorker {
  /** Resolves when jobs can come; rejects with UnreachableError after 5 s without Redis, which is tried on all the same. */
  ready(): Promise<void>;
  /** Takes no more jobs, aborts the handlers' signal and waits for them. */
  close(): Promise<void>;
}

/** BullMQ's close waits for a Redis that goes away meanwhile, and would renew locks for ever: the job counts as stalled then. */
class LeavableWorker extends Worker {
  async stopRenewals(): Promise<void> {
    await this.lockManager.close();
  }
}

/** Takes units from the queue until closed, through restarts and losses of Redis. */
export function consumeUnits(options: QueueOptions, consumer: UnitConsumer): UnitWorker {
  checkRedisUrl(options.redisUrl);
  const { redis, disconnectAll } = trackedRedis(options);
  const closing = new AbortController();
  const atWork = new Set<Promise<void>>();

  const worker = new LeavableWorker(QUEUE_NAME, (job) => track(atWork, handleJob(job, consumer, closing.signal)), {
    connection: redis,
    prefix: prefixFor(options),
    name: clientToken(consumer.workerId),
    concurrency: consumer.concurrency,
    lockDuration: options.lockDurationMs,
    stalledInterval: options.stalledIntervalMs,
    maxStalledCount: ENDLESS_STALLS,
    runRetryDelay: 1_000,
    skipVersionCheck: true,
    ...telemetryOf(options),
  });
  const lostLocks = new LostLocks(options.lockDurationMs);
  let outage: ReplayError | null = null;
  redis.on("ready", () => {
    outage = null;
  });
  worker.on("active", ({ id }) => lostLocks.forget(id ?? ""));
  worker.on("error", (error) => {
    const lost = lostLocks.about(error);
    if (lost) consumer.onError(lost);
    if (lost !== undefined) return;
    const report = redisError(options.redisUrl, error);
    const away = report instanceof UnreachableError;
    if (!away || outage === null) consumer.onError(report);
    if (away) outage = report;
  });

  return {
    ready: async () => {
      const late = () => outage ?? unreachable(options.redisUrl, `no answer within ${REDIS_PATIENCE_MS / 1_000} s`);
      const readying = async () => {
        await worker.waitUntilReady();
        // BullMQ gives its other connection a name, by which workers are counted, and says nothing where it may not.
        await redis.call("CLIENT", "SETNAME", `${clientToken(options.prefix)}-${clientToken(consumer.workerId)}`);
      };
      await withDeadline(readying(), REDIS_PATIENCE_MS, late).catch((error: unknown) => {
        throw redisError(options.redisUrl, error);
      });
    },
    close: async () => {
      closing.abort(new ReplayError("The worker is closing."));
      await worker.pause(true);
      await Promise.allSettled(atWork);
      await withDeadline(worker.close(outage !== null), REDIS_PATIENCE_MS, () => new Error("late")).catch(() =>
        worker.stopRenewals(),
      );
      disconnectAll();
    },
  };
}

async function handleJob(job: Job, consumer: UnitConsumer, signal: AbortSignal): Promise<void> {
  if (signal.aborted) {
    // It came while the worker was closing: it goes to another.
    await job.moveToWait(job.token);
    throw new WaitingError();
  }
  try {
    await consumer.handle(unitJobSchema.parse(job.data), signal);
  } catch (error) {
    // Told here, as BullMQ does not when Redis has lost the job meanwhile.
    consumer.onError(error instanceof Error ? error : new ReplayError(String(error)));
    throw error;
  }
}

function track(atWork: Set<Promise<void>>, work: Promise<void>): Promise<void> {
  atWork.add(work);
  const done = () => atWork.delete(work);
  work.then(done, done);
  return work;
}

/** A client that remembers its duplicates: BullMQ blocks on one, and does not let go of it while Redis is away. */
function trackedRedis(server: RedisServer): { redis: RedisConnection; disconnectAll: () => void } {
  // Connects by itself: BullMQ would take a failed first `connect()` for the end.
  const redis = createRedis(server, { maxRetriesPerRequest: null, lazyConnect: false });
  const clients: RedisConnection[] = [redis];
  const track = <Connection extends RedisConnection>(copy: Connection): Connection => {
    clients.push(copy);
    return copy;
  };
  if (redis instanceof Cluster) {
    const duplicate = redis.duplicate.bind(redis);
    redis.duplicate = (...overrides) => track(duplicate(...overrides));
  } else {
    const duplicate = redis.duplicate.bind(redis);
    redis.duplicate = (override) => track(duplicate(override));
  }
  return {
    redis,
    disconnectAll: () => {
      for (const client of clients) client.disconnect();
    },
  };
}

/** A client's name in Redis may hold no spaces or control characters. */
function clientToken(workerId: string): string {
  return workerId.replace(/[^\w.:-]/g, "_");
}
