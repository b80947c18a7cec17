import { setTimeout as sleep } from "node:timers/promises";
import { UnreachableError } from "@cim-replay/core";
import { freePort, startRedis } from "@cim-replay/testkit";
import { expect, onTestFinished, test } from "vitest";
import { QUEUE_DEFAULTS } from "./options.ts";
import { openQueueForInspection } from "./queue-for-inspection.ts";

test("a queue that is opened while Redis is away works once it is there, and says once that it was not", async () => {
  const port = await freePort();
  const told: string[] = [];
  const options = { ...QUEUE_DEFAULTS, redisUrl: `redis://127.0.0.1:${port}` };
  const { queue, requireReady, close } = openQueueForInspection(options, (error) => told.push(error.message));
  onTestFinished(close);
  await sleep(500);
  expect(requireReady).toThrow(UnreachableError);
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(/^Cannot reach Redis at redis:/);
  const redis = await startRedis({ port });
  onTestFinished(() => redis.stop());
  await expect.poll(requireReady, { timeout: 10_000 }).toBeUndefined();
  expect(await queue.getJobCounts("waiting")).toEqual({ waiting: 0 });
});
