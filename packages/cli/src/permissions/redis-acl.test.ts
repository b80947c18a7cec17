import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "@cim-replay/core";
import { connectNats } from "@cim-replay/nats";
import { QUEUE_DEFAULTS } from "@cim-replay/queue";
import { startServerPair } from "@cim-replay/testkit";
import { loadProjection, startWorker } from "@cim-replay/worker";
import { expect, test } from "vitest";
import { runInProcess } from "./run-in-process.fixture.ts";

const acl = readFileSync(new URL("../../../../deploy/redis/users.acl", import.meta.url), "utf8");

test("a whole replay does with the ACL of the page", async () => {
  await using stack = new AsyncDisposableStack();
  const { nats, redis } = stack.adopt(await startServerPair({ redis: { config: acl } }), (pair) => pair.stop());
  const folder = stack.adopt(mkdtempSync(join(tmpdir(), "cim-replay-acl-")), (path) =>
    rmSync(path, { recursive: true }),
  );
  const redisUrl = redis.url.replace("//", "//cim-replay:change-me@");
  const client = stack.adopt(await connectNats({ url: nats.url, name: "test" }), (each) => each.close());
  await client.jsm.streams.add({ name: "EVENTS", subjects: ["events.>"] });
  const event = {
    event_id: "e",
    aggregate_id: "a",
    event_type: "Added",
    payload: {},
    timestamp: "2026-01-01T00:00:00Z",
  };
  await client.js.publish("events.shop.a.Added", JSON.stringify(event));
  const worker = stack.adopt(
    startWorker({
      client,
      queue: { ...QUEUE_DEFAULTS, redisUrl },
      workerId: "w",
      concurrency: 1,
      log: silentLog,
      loadProjection,
    }),
    (each) => each.stop(),
  );
  await worker.ready();
  const { status, said } = await runInProcess("domain-replay", [
    ...["--nats-url", nats.url, "--context", "none", "--redis-url", redisUrl, "--domain", "shop"],
    ...["--local-workers", "0", "--metrics-port", "off", "--backup-dir", folder],
  ]);
  expect(said).toContain("completed");
  expect(status).toBe(0);
});
