import { spawn } from "node:child_process";
import { once } from "node:events";
import { UnreachableError } from "@cim-replay/core";
import { type RedisHandle, startRedis } from "@cim-replay/testkit";
import { expect, onTestFinished, test } from "vitest";
import { consumeUnits, type UnitConsumer } from "./consume-units.ts";
import { QUEUE_DEFAULTS, type QueueOptions } from "./options.ts";
import { UnitQueue } from "./unit-queue.ts";

async function setUp(): Promise<{
  redis: RedisHandle;
  options: QueueOptions;
  queue: UnitQueue;
}> {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const options = { ...QUEUE_DEFAULTS, redisUrl: redis.url, lockDurationMs: 1_000, stalledIntervalMs: 300 };
  const queue = await UnitQueue.open(options);
  onTestFinished(() => queue.close());
  return { redis, options, queue };
}

/** A handler that works until it is let go, and what it saw. */
function heldHandler() {
  const seen = { started: [] as string[], ended: [] as string[], aborted: [] as string[], errors: [] as string[] };
  const gate = Promise.withResolvers<void>();
  const consumer: UnitConsumer = {
    workerId: "w",
    concurrency: 1,
    handle: async (job, signal) => {
      seen.started.push(job.unit);
      signal.addEventListener("abort", () => seen.aborted.push(job.unit));
      await gate.promise;
      seen.ended.push(job.unit);
    },
    onError: (error) => seen.errors.push(error.message),
  };
  return { seen, consumer, letGo: () => gate.resolve() };
}

/** A process of its own with `consumeUnits` at hand. */
function runScript(body: string) {
  const script = `import { consumeUnits } from ${JSON.stringify(new URL("consume-units.ts", import.meta.url).href)};\n${body}`;
  const child = spawn(process.execPath, ["-C", "source", "--input-type=module", "-e", script]);
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

test("a job whose worker is killed goes to a second worker", async () => {
  const { options, queue } = await setUp();
  const doomed = runScript(`consumeUnits(${JSON.stringify(options)}, { workerId: "doomed", concurrency: 1, onError() {},
      handle: () => { console.log("started"); return new Promise(() => {}); } });`);
  await queue.enqueue({ runId: "r", unit: "u1", dispatch: 0 });
  await once(doomed.stdout, "data");
  doomed.kill("SIGKILL");

  const { seen, consumer, letGo } = heldHandler();
  letGo();
  const worker = consumeUnits(options, consumer);
  onTestFinished(() => worker.close());
  await expect.poll(() => seen.ended, { timeout: 5_000 }).toEqual(["u1"]);
  await expect.poll(() => queue.jobsOf("r")).toEqual([]);
});

test("a job is not given to another while its handler is at work past the lock's time", async () => {
  const { options, queue } = await setUp();
  const { seen, consumer, letGo } = heldHandler();
  const workers = ["a", "b"].map((workerId) => consumeUnits(options, { ...consumer, workerId }));
  onTestFinished(async () => void (await Promise.all(workers.map((worker) => worker.close()))));
  await queue.enqueue({ runId: "r", unit: "u1", dispatch: 0 });
  await new Promise((resolve) => setTimeout(resolve, 3 * options.lockDurationMs));
  expect(seen.started).toEqual(["u1"]);
  expect(await queue.jobsOf("r")).toEqual([{ unit: "u1", dispatch: 0, state: "active" }]);
  letGo();
});

test("an emptied Redis neither aborts a handler nor keeps the worker from new jobs", async () => {
  const { redis, options, queue } = await setUp();
  const { seen, consumer, letGo } = heldHandler();
  const worker = consumeUnits(options, consumer);
  onTestFinished(() => worker.close());
  await queue.enqueue({ runId: "r", unit: "u1", dispatch: 0 });
  await expect.poll(() => seen.started).toEqual(["u1"]);
  await redis.flushAll();
  await new Promise((resolve) => setTimeout(resolve, 2 * options.lockDurationMs));
  expect(seen.aborted).toEqual([]);
  letGo();
  await queue.enqueue({ runId: "r", unit: "u2", dispatch: 0 });
  await expect.poll(() => seen.ended, { timeout: 5_000 }).toEqual(["u1", "u2"]);
  expect(await queue.workerCount()).toBe(1);
  // BullMQ says it at every renewal that fails, and when the job is done.
  expect(seen.errors.filter((text) => text.includes("u1"))).toEqual([
    expect.stringMatching(/^Cannot keep the lock of/),
  ]);
});

test("a killed and restarted Redis neither aborts a handler nor keeps the worker from new jobs", async () => {
  const { redis, options, queue } = await setUp();
  const { seen, consumer, letGo } = heldHandler();
  const worker = consumeUnits(options, consumer);
  onTestFinished(() => worker.close());
  await queue.enqueue({ runId: "r", unit: "u1", dispatch: 0 });
  await expect.poll(() => seen.started).toEqual(["u1"]);
  await redis.kill();
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  await redis.restart();
  expect(seen.aborted).toEqual([]);
  letGo();
  await expect
    .poll(
      () =>
        queue.enqueue({ runId: "r", unit: "u2", dispatch: 0 }).then(
          () => true,
          () => false,
        ),
      { timeout: 10_000 },
    )
    .toBe(true);
  await expect.poll(() => seen.ended, { timeout: 10_000 }).toContain("u2");
  expect(seen.errors.filter((message) => message.startsWith("Cannot reach Redis"))).toHaveLength(1);
});

test("what a handler throws is told, and the worker goes on", async () => {
  const { options, queue } = await setUp();
  const errors: string[] = [];
  const worker = consumeUnits(options, {
    workerId: "w",
    concurrency: 1,
    handle: async ({ unit }) => {
      throw new Error(`no luck with ${unit}`);
    },
    onError: (error) => errors.push(error.message),
  });
  onTestFinished(() => worker.close());
  await queue.enqueue({ runId: "r", unit: "u1", dispatch: 0 });
  await queue.enqueue({ runId: "r", unit: "u2", dispatch: 0 });
  await expect.poll(() => errors).toEqual(["no luck with u1", "no luck with u2"]);
  await expect.poll(() => queue.jobsOf("r")).toEqual([]);
});

test("closing aborts the handlers' signal and waits for them", async () => {
  const { options, queue } = await setUp();
  const { seen, consumer, letGo } = heldHandler();
  const worker = consumeUnits(options, consumer);
  await queue.enqueue({ runId: "r", unit: "u1", dispatch: 0 });
  await expect.poll(() => seen.started).toEqual(["u1"]);
  const closed = worker.close();
  await expect.poll(() => seen.aborted).toEqual(["u1"]);
  await queue.enqueue({ runId: "r", unit: "u2", dispatch: 0 });
  letGo();
  await closed;
  expect(seen.ended).toEqual(["u1"]);
  expect((await queue.jobsOf("r")).map(({ unit, state }) => `${unit} ${state}`)).toEqual(["u2 waiting"]);
});

test("a worker closed while Redis is away leaves nothing that keeps its process alive", async () => {
  const { redis, options } = await setUp();
  const child = runScript(`const worker = consumeUnits(${JSON.stringify(options)},
      { workerId: "w", concurrency: 1, onError() {}, handle: async () => {} });
    await worker.ready();
    console.log("ready");
    process.stdin.once("data", async () => { process.stdin.destroy(); await worker.close(); });`);
  await once(child.stdout, "data");
  await redis.kill();
  await new Promise((resolve) => setTimeout(resolve, 300));
  child.stdin.write("close\n");
  const [status] = await once(child, "exit", { signal: AbortSignal.timeout(10_000) });
  expect(status).toBe(0);
});

test("is not ready, and says why, where there is no Redis", async () => {
  const { consumer } = heldHandler();
  const worker = consumeUnits({ ...QUEUE_DEFAULTS, redisUrl: "redis://u:s3cret@127.0.0.1:1" }, consumer);
  const error = await worker.ready().catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(UnreachableError);
  expect(String(error)).toContain("redis://***@127.0.0.1:1: connection refused");
  await worker.close();
});

test("takes jobs from a Redis that came up after the worker", async () => {
  const { redis, options, queue } = await setUp();
  await redis.kill();
  const { seen, consumer, letGo } = heldHandler();
  letGo();
  const worker = consumeUnits(options, consumer);
  onTestFinished(() => worker.close());
  await new Promise((resolve) => setTimeout(resolve, 500));
  await redis.restart();
  await worker.ready();
  await queue.enqueue({ runId: "r", unit: "u1", dispatch: 0 });
  await expect.poll(() => seen.ended, { timeout: 5_000 }).toEqual(["u1"]);
});
