import { tmpdir } from "node:os";
import { silentLog } from "@cim-replay/core";
import { QUEUE_DEFAULTS } from "@cim-replay/queue";
import { loadProjection, startWorker } from "@cim-replay/worker";
import { connectNats, ensureBucket, Ledger, type NatsClient } from "@cim-replay/nats";
import { planOf, runOf, type ServerPair, settingsOf, startServerPair } from "@cim-replay/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runTool, type ToolResult } from "../run-tool.fixture.ts";

let servers: ServerPair;
let client: NatsClient;

beforeAll(async () => {
  servers = await startServerPair();
  client = await connectNats({ url: servers.nats.url, name: "test" });
});
afterAll(async () => {
  await client.close();
  await servers.stop();
});

function tool(name: string, ...args: readonly string[]): Promise<ToolResult> {
  const env = { NATS_URL: servers.nats.url, REDIS_URL: servers.redis.url };
  return runTool(name, args, { cwd: tmpdir(), env });
}

async function recorded(...args: readonly string[]): Promise<Record<string, unknown>[]> {
  return JSON.parse((await tool("audit-log", "--format", "json", ...args)).stdout);
}

test("clearing and cancelling are recorded: who, when, with what, and what came of it", async () => {
  expect(await recorded()).toEqual([]);
  await ensureBucket(client, "CIM_PROJECTIONS");
  await client.js.publish("$KV.CIM_PROJECTIONS.shop.a", "{}");
  expect(await tool("clear-projections", "--domain", "shop", "--yes")).toMatchObject({ status: 0 });
  const ledger = await Ledger.open(client, { create: true });
  await ledger?.createRun(runOf("c1", { settings: settingsOf("S") }), planOf("c1"), []);
  expect(await tool("cancel-replay", "--run", "c1", "--reason", "no longer wanted")).toMatchObject({ status: 0 });
  const before = new Date().toISOString();
  expect(await recorded("--domain", "shop")).toMatchObject([
    { command: "clear-projections", step: "started", target: "CIM_PROJECTIONS", parameters: { aggregateId: null } },
    { command: "clear-projections", step: "ended", outcome: "1 deleted, 0 kept", who: expect.stringMatching(/.@./) },
  ]);
  expect(await recorded("--domain", "graph")).toMatchObject([
    { command: "cancel-replay", step: "done", runId: "c1", outcome: "no longer wanted" },
  ]);
  expect(await recorded("--since", before)).toEqual([]);
  expect((await tool("audit-log")).stdout).toMatch(/cancel-replay +done +graph +TARGET_S +c1 +– +no longer wanted$/m);
});

test("a record that cannot be written is said loudly, and the work is done", async () => {
  await client.jsm.streams.delete("CIM_REPLAY_AUDIT");
  await client.jsm.streams.add({ name: "IN_THE_WAY", subjects: ["_CIM_REPLAY.audit.>"], sealed: false, no_ack: true });
  const ledger = await Ledger.open(client, { create: true });
  await ledger?.createRun(runOf("c2", { settings: settingsOf("S") }), planOf("c2"), []);
  const { status, stderr } = await tool("cancel-replay", "--run", "c2");
  expect(status).toBe(0);
  expect(stderr).toMatch(/^WARNING: this is not in the audit log: cancel-replay of graph, done\./);
  expect((await ledger?.getRun("c2"))?.record.state).toBe("cancelled");
  await client.jsm.streams.delete("IN_THE_WAY");
});

test("a replay's start and end are recorded with its settings and its certificate's verdict", async () => {
  await client.jsm.streams.add({ name: "EVENTS", subjects: ["events.>"] });
  const envelope = { event_id: "e", aggregate_id: "a", event_type: "GraphCreated", timestamp: "2026-01-01T00:00:00Z" };
  await client.js.publish("events.graph.a.GraphCreated", JSON.stringify({ ...envelope, payload: { name: "g" } }));
  const worker = startWorker({
    client,
    queue: { ...QUEUE_DEFAULTS, redisUrl: servers.redis.url },
    ...{ workerId: "w", concurrency: 1, log: silentLog, loadProjection },
  });
  await worker.ready();
  const replayed = await tool(
    "domain-replay",
    "--domain",
    "graph",
    "--parallel",
    "3",
    "--certify",
    "counts",
    "--local-workers",
    "0",
  );
  await worker.stop();
  expect(replayed, replayed.stderr).toMatchObject({ status: 0 });
  expect(await recorded()).toMatchObject([
    { command: "domain-replay", step: "started", parameters: { parallel: 3, certify: "counts" }, certificate: null },
    { step: "ended", outcome: "completed", certificate: { level: "counts", holds: true } },
  ]);
}, 60_000);
