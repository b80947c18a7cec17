import { type Job, Queue } from "bullmq";
import { Cluster } from "ioredis";
import { withDeadline } from "./deadline.ts";
import { QUEUE_NAME, type QueueOptions } from "./options.ts";
import { connectRedis, createRedis, prefixFor, REDIS_PATIENCE_MS, type RedisConnection } from "./redis-client.ts";
import { redisError, unreachable } from "./redis-errors.ts";
import { checkRedisUrl } from "./redis-url.ts";
import { checkServer } from "./server-facts.ts";
import { telemetryOf } from "./telemetry.ts";
import { jobId, type UnitJob, unitJobSchema } from "./unit-job.ts";

const JOB_STATES = ["waiting", "active", "delayed", "failed"] as const;
export type UnitJobState = (typeof JOB_STATES)[number];

export interface QueuedUnit {
  readonly unit: string;
  readonly dispatch: number;
  readonly state: UnitJobState;
}

/**
 * Sends units to workers and tells what Redis still holds of them. What became of a unit is the ledger's to say: an
 * emptied Redis looks just like a finished run. Every call rejects with UnreachableError where Redis is away for 5 s, and
 * works again when it is back.
 */
export class UnitQueue {
  /** Settings of this Redis that can lose units; for people. */
  readonly warnings: readonly string[];
  readonly #redis: RedisConnection;
  readonly #queue: Queue;
  readonly #redisUrl: string;

  private constructor(redis: RedisConnection, options: QueueOptions, warnings: readonly string[]) {
    this.warnings = warnings;
    this.#redis = redis;
    this.#redisUrl = options.redisUrl;
    this.#queue = new Queue(QUEUE_NAME, {
      connection: redis,
      prefix: prefixFor(options),
      skipVersionCheck: true,
      ...telemetryOf(options),
    });
    // Every call says by itself when Redis is away; without a listener the same would end the process.
    this.#queue.on("error", () => {});
  }

  /** Throws UnreachableError within 5 s where Redis is not there, ReplayError where it is older than 6.2. */
  static async open(options: QueueOptions): Promise<UnitQueue> {
    checkRedisUrl(options.redisUrl);
    const redis = createRedis(options, { maxRetriesPerRequest: 5 });
    redis.on("error", () => {});
    await connectRedis(redis, options);
    try {
      const warnings = checkServer(await redis.info(), options.redisUrl);
      const queue = new UnitQueue(redis, options, warnings);
      await queue.#call(() => queue.#queue.waitUntilReady());
      return queue;
    } catch (error) {
      redis.disconnect();
      throw redisError(options.redisUrl, error);
    }
  }

  /** Sending what Redis still holds is a no-op; what it no longer holds is sent again. `first`: before all that waits. */
  async enqueue(job: UnitJob, { first = false }: { first?: boolean } = {}): Promise<void> {
    const data = unitJobSchema.parse(job);
    const options = { jobId: jobId(data), removeOnComplete: true, removeOnFail: true, lifo: first };
    await this.#call(() => this.#queue.add("unit", data, options));
  }

  /** Jobs of a run that Redis still holds, whoever works at them. */
  async jobsOf(runId: string): Promise<QueuedUnit[]> {
    const jobs = await this.#jobsOf(runId);
    return [...jobs.values()].map(({ data, state }) => ({ unit: data.unit, dispatch: data.dispatch, state }));
  }

  /** Jobs of all runs. */
  async counts(): Promise<Record<UnitJobState, number>> {
    const counts = await this.#call(() => this.#queue.getJobCounts(...JOB_STATES));
    const { waiting = 0, active = 0, delayed = 0, failed = 0 } = counts;
    return { waiting, active, delayed, failed };
  }

  /** Workers that are connected to this queue now, by Redis' list of clients. */
  async workerCount(): Promise<number> {
    const workers = await this.#call(() => this.#queue.getWorkers());
    const database = String(this.#redis instanceof Cluster ? 0 : (this.#redis.options.db ?? 0));
    return workers.filter((worker) => worker.db === database).length;
  }

  /** Takes back what waits of a run. What is at work stays: its worker learns from the ledger that the run is over. */
  async removeRun(runId: string): Promise<void> {
    const jobs = await this.#jobsOf(runId);
    await this.#call(() => Promise.all([...jobs.keys()].map((id) => this.#queue.remove(id))));
  }

  async close(): Promise<void> {
    // A Redis that is away does not answer the farewell either.
    await this.#call(() => this.#queue.close()).catch(() => undefined);
    this.#redis.disconnect();
  }

  async #jobsOf(runId: string): Promise<Map<string, { data: UnitJob; state: UnitJobState }>> {
    const found = new Map<string, { data: UnitJob; state: UnitJobState }>();
    // In the order of a job's life, so that one that moves on meanwhile is seen twice rather than not at all.
    for (const state of JOB_STATES) {
      const jobs: (Job | undefined)[] = await this.#call(() => this.#queue.getJobs([state]));
      for (const job of jobs) {
        const data = unitJobSchema.safeParse(job?.data).data;
        if (job?.id && data?.runId === runId) found.set(job.id, { data, state });
      }
    }
    return found;
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await withDeadline(work(), REDIS_PATIENCE_MS, () =>
        unreachable(this.#redisUrl, `no answer within ${REDIS_PATIENCE_MS / 1_000} s`),
      );
    } catch (error) {
      throw redisError(this.#redisUrl, error);
    }
  }
}
