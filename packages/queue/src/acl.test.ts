import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type RedisHandle, startRedis } from "@cim-replay/testkit";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { consumeUnits } from "./consume-units.ts";
import { QUEUE_DEFAULTS } from "./options.ts";
import { QueueDeniedError } from "./redis-errors.ts";
import { redisFacts } from "./redis-facts.ts";
import { UnitQueue } from "./unit-queue.ts";

const line = readFileSync(new URL("../../../deploy/redis/users.acl", import.meta.url), "utf8").trim();
const [, , , , ...rules] = line.split(" ");
const commands = rules.filter((rule) => rule.startsWith("+"));
const AT_MOST_MS = 15_000;

test("the page shows the ACL as it is", () => {
  const page = readFileSync(new URL("../../../docs/security.md", import.meta.url), "utf8");
  expect(page).toContain(`\`\`\`\n${line}\n\`\`\``);
});

let server: RedisHandle;
let admin: Redis;

beforeAll(async () => {
  server = await startRedis();
  admin = new Redis(server.url);
});
afterAll(async () => {
  admin.disconnect();
  await server.stop();
});

test("the ACL is enough for all that the queue does", async () => {
  await admin.call("ACL", "LOG", "RESET");
  const failure = await failureWith(rules, "whole");
  expect(await admin.call("ACL", "LOG")).toEqual([]);
  expect(failure).toBe(null);
});

test.concurrent.each(commands)("without %s the queue ends with words", async (command) => {
  const startedAt = performance.now();
  const failure = await failureWith(
    rules.filter((rule) => rule !== command),
    command.slice(1).replace("|", "-"),
  );
  expect(failure?.message).toMatch(
    /^Cannot use Redis at redis:.*: this login has no permission to .*docs\/security\.md/,
  );
  expect(performance.now() - startedAt).toBeLessThan(AT_MOST_MS);
});

test("keys of another prefix are out of reach", async () => {
  const failure = await failureWith(rules, "whole", "other");
  expect(failure?.message).toMatch(/no permission to do what the queue takes/);
});

/** What goes wrong for a login with these rules; null: nothing. */
async function failureWith(given: readonly string[], name: string, prefix = `${name}-q`): Promise<Error | null> {
  const own = given.map((rule) => rule.replace("~cim-replay:", `~${name}-q:`));
  await admin.call("ACL", "SETUSER", name, "reset", "on", ">hush", ...own);
  const redisUrl = server.url.replace("//", `//${name}:hush@`);
  try {
    await useQueue(redisUrl, prefix);
    return null;
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
}

/** Everything that coordinators, workers and the doctor do with a queue; a job is lost once, and fails once. */
async function useQueue(redisUrl: string, prefix: string): Promise<void> {
  const options = { ...QUEUE_DEFAULTS, redisUrl, prefix, stalledIntervalMs: 200 };
  const { writeRefusal } = await redisFacts(options);
  await using stack = new AsyncDisposableStack();
  const queue = stack.adopt(await UnitQueue.open(options), (each) => each.close());
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const seen: string[] = [];
  const worker = consumeUnits(options, {
    workerId: "w",
    concurrency: 2,
    async handle({ unit }) {
      seen.push(unit);
      if (unit === "fails") throw new Error("as it should");
      if (unit === "lost" && seen.filter((each) => each === "lost").length === 1) {
        const locks = await admin.keys(`${prefix}:units:*lost*:lock`);
        await admin.del(...locks);
        await sleep(700);
      }
    },
    onError: (error) => {
      if (error instanceof QueueDeniedError) failed.reject(error);
    },
  });
  stack.defer(() => worker.close());
  await Promise.race([worker.ready(), failed.promise]);
  const until = async (met: () => boolean | Promise<boolean>) => {
    while (!(await met())) await Promise.race([sleep(30), failed.promise]);
  };
  for (const unit of ["done", "fails", "lost"]) await queue.enqueue({ runId: "r", unit, dispatch: 1 });
  await queue.enqueue({ runId: "r", unit: "done", dispatch: 1 });
  await until(async () => (await queue.workerCount()) === 1);
  await until(() => seen.filter((each) => each === "lost").length === 2);
  await until(async () => (await queue.jobsOf("r")).length === 0 && (await queue.counts()).active === 0);
  await worker.close();
  await queue.enqueue({ runId: "r", unit: "waits", dispatch: 1 });
  await queue.removeRun("r");
  expect(await queue.jobsOf("r")).toEqual([]);
  if (writeRefusal !== null) throw new Error(writeRefusal);
}
