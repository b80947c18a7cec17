import { UnreachableError, UsageError } from "@cim-replay/core";
import { type RedisHandle, startRedis } from "@cim-replay/testkit";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { consumeUnits } from "./consume-units.ts";
import { QUEUE_DEFAULTS } from "./options.ts";
import { UnitQueue } from "./unit-queue.ts";

let redis: RedisHandle;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => {
  await redis.stop();
});

let lastPrefix = 0;
async function openQueue() {
  const options = { ...QUEUE_DEFAULTS, redisUrl: redis.url, prefix: `test-${++lastPrefix}` };
  const queue = await UnitQueue.open(options);
  onTestFinished(() => queue.close());
  return { options, queue };
}

describe("opening", () => {
  test("fails at once and without credentials where nobody listens", async () => {
    const redisUrl = "redis://someone:s3cret@127.0.0.1:1";
    const error = await UnitQueue.open({ ...QUEUE_DEFAULTS, redisUrl }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(UnreachableError);
    expect(String(error)).toBe(
      "UnreachableError: Cannot reach Redis at redis://***@127.0.0.1:1: connection refused. Start one with `cim-replay servers up`, or set REDIS_URL.",
    );
  });

  test("fails without credentials where they are refused", async () => {
    const redisUrl = redis.url.replace("redis://", "redis://someone:s3cret@");
    const error = await UnitQueue.open({ ...QUEUE_DEFAULTS, redisUrl }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(UnreachableError);
    expect(String(error)).toContain("it refuses the credentials");
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error)) + String(error)).not.toContain("s3cret");
  });

  test("refuses what is no URL of a Redis", async () => {
    await expect(UnitQueue.open({ ...QUEUE_DEFAULTS, redisUrl: "localhost:6379" })).rejects.toThrow(UsageError);
  });

  test("warns where Redis may evict units", async () => {
    const admin = new Redis(redis.url);
    onTestFinished(() => admin.disconnect());
    expect((await openQueue()).queue.warnings).toEqual([]);
    await admin.config("SET", "maxmemory-policy", "allkeys-lru");
    const { queue } = await openQueue();
    await admin.config("SET", "maxmemory-policy", "noeviction");
    expect(queue.warnings.join()).toContain("allkeys-lru");
  });
});

describe("jobs", () => {
  test("are sent once however often they are enqueued", async () => {
    const { queue } = await openQueue();
    for (let i = 0; i < 3; i++) await queue.enqueue({ runId: "r", unit: "u1", dispatch: 0 });
    await queue.enqueue({ runId: "r", unit: "u1", dispatch: 1 });
    expect(await queue.counts()).toEqual({ waiting: 2, active: 0, delayed: 0, failed: 0 });
  });

  test("of one run are listed and taken back apart from another's", async () => {
    const { queue } = await openQueue();
    await queue.enqueue({ runId: "r", unit: "u1", dispatch: 0 });
    await queue.enqueue({ runId: "r", unit: "u2", dispatch: 3 });
    await queue.enqueue({ runId: "r-2", unit: "u1", dispatch: 0 });
    const units = await queue.jobsOf("r");
    expect(units.toSorted((a, b) => a.unit.localeCompare(b.unit))).toEqual([
      { unit: "u1", dispatch: 0, state: "waiting" },
      { unit: "u2", dispatch: 3, state: "waiting" },
    ]);
    await queue.removeRun("r");
    expect(await queue.jobsOf("r")).toEqual([]);
    expect(await queue.jobsOf("r-2")).toHaveLength(1);
  });

  test("that are done leave nothing, and run again when enqueued again", async () => {
    const { queue, options } = await openQueue();
    let handled = 0;
    const handle = async () => void handled++;
    const worker = consumeUnits(options, { workerId: "w", concurrency: 1, handle, onError: () => {} });
    onTestFinished(() => worker.close());
    for (const expected of [1, 2]) {
      await queue.enqueue({ runId: "r", unit: "u1", dispatch: 0 });
      await expect.poll(() => handled, { timeout: 5_000 }).toBe(expected);
      await expect.poll(() => queue.jobsOf("r"), { timeout: 5_000 }).toEqual([]);
    }
  });
});

test("counts the workers of its own queue only", async () => {
  const mine = await openQueue();
  const other = await openQueue();
  const consumer = { concurrency: 1, handle: async () => {}, onError: () => {} };
  const first = consumeUnits(mine.options, { ...consumer, workerId: "first worker\n" });
  const second = consumeUnits(mine.options, { ...consumer, workerId: "second" });
  const third = consumeUnits(other.options, { ...consumer, workerId: "third" });
  onTestFinished(async () => void (await Promise.all([second.close(), third.close()])));
  await Promise.all([first.ready(), second.ready(), third.ready()]);
  expect(await mine.queue.workerCount()).toBe(2);
  await first.close();
  await expect.poll(() => mine.queue.workerCount()).toBe(1);
});

test("calls fail within seconds while Redis is away and work again afterwards", async () => {
  const own = await startRedis();
  onTestFinished(() => own.stop());
  const queue = await UnitQueue.open({ ...QUEUE_DEFAULTS, redisUrl: own.url });
  onTestFinished(() => queue.close());
  await queue.enqueue({ runId: "r", unit: "u1", dispatch: 0 });
  await own.kill();
  const startedMs = Date.now();
  const calls = [queue.enqueue({ runId: "r", unit: "u2", dispatch: 0 }), queue.jobsOf("r"), queue.workerCount()];
  for (const call of await Promise.allSettled(calls)) {
    expect(call).toMatchObject({ status: "rejected", reason: expect.any(UnreachableError) });
  }
  expect(Date.now() - startedMs).toBeLessThan(7_000);
  await own.restart();
  await expect.poll(() => queue.counts().catch(() => null), { timeout: 10_000 }).toMatchObject({ active: 0 });
  await queue.enqueue({ runId: "r", unit: "u3", dispatch: 0 });
  expect((await queue.jobsOf("r")).map(({ unit }) => unit)).toContain("u3");
});
