import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLog, UsageError } from "@cim-replay/core";
import { connectNats, ensureBucket, type NatsClient, putPlainEntry } from "@cim-replay/nats";
import { QUEUE_DEFAULTS } from "@cim-replay/queue";
import { freePort, readBucket, startNats, uniqueName } from "@cim-replay/testkit";
import { loadProjection, startWorker } from "@cim-replay/worker";
import { expect, inject, test } from "vitest";
import { runInProcess } from "./permissions/run-in-process.fixture.ts";

const login = { jetstreamDomain: "leaf", inboxPrefix: "_INBOX_mine" };

test("a JetStream behind a leaf node is replayed, certified, verified and kept from the hub, whose own stays empty", async () => {
  await using stack = new AsyncDisposableStack();
  const leafPort = await freePort();
  const permissions = '{ subscribe: { deny: ["_INBOX.>"] } }';
  const users = `authorization { users: [{ user: "u", password: "p", permissions: ${permissions} }] }`;
  const listen = `leafnodes { listen: "127.0.0.1:${leafPort}", authorization { user: "l", password: "p" } }`;
  const hub = stack.adopt(await startNats({ domain: "hub", config: `${users}\n${listen}` }), (each) => each.stop());
  const remotes = `leafnodes { remotes: [{ url: "nats://l:p@127.0.0.1:${leafPort}" }] }`;
  const leaf = stack.adopt(await startNats({ domain: "leaf", config: remotes }), (each) => each.stop());
  const folder = stack.adopt(mkdtempSync(join(tmpdir(), "cim-replay-leaf-")), (path) =>
    rmSync(path, { recursive: true }),
  );
  const own = stack.adopt(await connectNats({ url: leaf.url, name: "test" }), (each) => each.close());
  await fill(own);
  const url = hub.url.replace("//", "//u:p@");
  const client = stack.adopt(await connectToLeaf(url), (each) => each.close());
  const prefix = uniqueName("leaf");
  const queue = { ...QUEUE_DEFAULTS, redisUrl: inject("redisUrl"), prefix };
  const worker = stack.adopt(
    startWorker({ client, queue, workerId: prefix, concurrency: 1, log: silentLog, loadProjection }),
    (each) => each.stop(),
  );
  await worker.ready();
  const reached = [
    "--nats-url",
    url,
    "--context",
    "none",
    "--nats-jetstream-domain",
    "leaf",
    "--nats-inbox-prefix",
    "_INBOX_mine",
  ];
  const queued = ["--redis-url", queue.redisUrl, "--queue-prefix", prefix];
  const replayed = await runInProcess("domain-replay", [
    ...[...reached, ...queued, "--domain", "shop", "--local-workers", "0", "--metrics-port", "off"],
    ...["--certify", "full", "--prune", "--skip-errors", "3", "--checkpoint-interval", "50", "--backup-dir", folder],
  ]);
  expect(replayed.said).toContain("holds at level full");
  expect(replayed.status).toBe(0);
  expect([...(await readBucket(own, "CIM_PROJECTIONS")).keys()]).toHaveLength(10);
  const verified = await runInProcess("verify-domain", [...reached, "--domain", "shop"]);
  expect(verified.status, verified.said).toBe(0);
  const file = join(folder, "kept.tar.gz");
  const kept = await runInProcess("backup-projections", [...reached, "--domain", "shop", "--output", file]);
  expect(kept.status, kept.said).toBe(0);
  const restored = await runInProcess("restore-projections", [
    ...reached,
    "--backup",
    file,
    "--target",
    "CIM_PROJECTIONS",
  ]);
  expect(restored.status, restored.said).toBe(0);
  const checked = await runInProcess("cim-replay", ["doctor", ...reached, ...queued, "--metrics-port", "off"]);
  expect(checked.status, checked.said).toBe(0);
  const atHub = stack.adopt(await connectNats({ url, name: "test", login: { inboxPrefix: "_INBOX_mine" } }), (each) =>
    each.close(),
  );
  expect((await atHub.jsm.getAccountInfo()).streams).toBe(0);
});

test("a domain and an API prefix together are a mistake", async () => {
  const both = { jetstreamDomain: "leaf", jetstreamApiPrefix: "js.of.others" };
  await expect(connectNats({ url: "nats://127.0.0.1:1", name: "test", login: both })).rejects.toThrow(UsageError);
});

async function fill(client: NatsClient): Promise<void> {
  await client.jsm.streams.add({ name: "EVENTS", subjects: ["events.>"] });
  for (let at = 0; at < 200; at++) {
    const id = `a${at % 10}`;
    const event = {
      event_id: `e${at}`,
      aggregate_id: id,
      event_type: "Added",
      payload: {},
      timestamp: "2026-01-01T00:00:00Z",
    };
    await client.js.publish(`events.shop.${id}.Added`, JSON.stringify(event));
  }
  await client.js.publish("events.shop.bad.Added", "no json");
  await ensureBucket(client, "CIM_PROJECTIONS");
  await putPlainEntry(client, "CIM_PROJECTIONS", "shop.orphan", Buffer.from("{}"), 0);
}

/** The leaf node may still be on its way. */
async function connectToLeaf(url: string): Promise<NatsClient> {
  for (let tries = 0; ; tries++) {
    try {
      return await connectNats({ url, name: "test", login });
    } catch (error) {
      if (tries >= 50) throw error;
      await sleep(100);
    }
  }
}
