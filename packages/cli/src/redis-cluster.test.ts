import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLog } from "@cim-replay/core";
import { connectNats } from "@cim-replay/nats";
import { QUEUE_DEFAULTS, UnitQueue } from "@cim-replay/queue";
import { startServerPair } from "@cim-replay/testkit";
import { loadProjection, startWorker } from "@cim-replay/worker";
import { expect, test } from "vitest";
import { runInProcess } from "./permissions/run-in-process.fixture.ts";

test("a replay by way of a Redis Cluster ends certified, and verifies", async () => {
  await using stack = new AsyncDisposableStack();
  const config = "cluster-enabled yes\ncluster-announce-ip 127.0.0.1\n";
  const { nats, redis } = stack.adopt(await startServerPair({ redis: { config } }), (pair) => pair.stop());
  const folder = stack.adopt(mkdtempSync(join(tmpdir(), "cim-replay-cluster-")), (path) =>
    rmSync(path, { recursive: true }),
  );
  await runInRedis(redis.port, "CLUSTER ADDSLOTSRANGE 0 16383");
  const queue = { ...QUEUE_DEFAULTS, redisUrl: redis.url, redisCluster: true };
  await untilItWorks(async () => (await UnitQueue.open(queue)).close());
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
    startWorker({ client, queue, workerId: "w", concurrency: 1, log: silentLog, loadProjection }),
    (each) => each.stop(),
  );
  await worker.ready();
  const reached = ["--nats-url", nats.url, "--context", "none", "--redis-url", redis.url, "--redis-cluster"];
  const { status, said } = await runInProcess("domain-replay", [
    ...[...reached, "--domain", "shop", "--local-workers", "0", "--metrics-port", "off", "--backup-dir", folder],
  ]);
  expect(said).toContain("certificate  holds");
  expect(status).toBe(0);
  expect((await runInProcess("verify-domain", [...reached, "--domain", "shop"])).status).toBe(0);
});

async function runInRedis(port: number, command: string): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.write(`${command}\r\n`);
  await new Promise((resolve) => socket.once("data", resolve));
  socket.destroy();
}

/** A cluster takes a moment to find itself whole. */
async function untilItWorks(work: () => Promise<void>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries >= 20) throw error;
      await sleep(200);
    }
  }
}
