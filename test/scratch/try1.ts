import { connectNats, Ledger, readEntries } from "@cim-replay/nats";
import { QUEUE_DEFAULTS, UnitQueue } from "@cim-replay/queue";
import { planReplay, startRun, driveRun } from "@cim-replay/coordinator";
import { startWorker, resolveProjection, loadProjection } from "@cim-replay/worker";
import { startServerPair } from "@cim-replay/testkit";
import { domainSettingsSchema } from "@cim-replay/core";

const pair = await startServerPair();
const client = await connectNats({ url: pair.nats.url, name: "try" });
const N = Number(process.argv[2] ?? 50000),
  A = Number(process.argv[3] ?? 1000);
await client.jsm.streams.add({ name: "EVENTS", subjects: ["events.>"] });
{
  let pending: Promise<unknown>[] = [];
  for (let i = 0; i < N; i++) {
    const id = `0000-aaaa-bbbb-cccc-${i % A}`;
    const type = i < A ? "GraphCreated" : "NodeAdded";
    const data = JSON.stringify({
      event_id: `e-${i}-xxxxxxxxxxxxxxxxxxxx`,
      aggregate_id: id,
      aggregate_type: "Graph",
      sequence: Math.floor(i / A) + 1,
      event_type: type,
      payload: {
        graph_id: id,
        node_id: `n${i}`,
        node_type: "t",
        label: "hello",
        position: { x: 1, y: 2, z: 3 },
        name: "g",
      },
      timestamp: new Date(1.7e12 + i * 1000).toISOString(),
      correlation_id: "c",
      causation_id: null,
      event_cid: null,
      previous_cid: null,
      actor: null,
      metadata: {},
    });
    pending.push(client.js.publish(`events.graph.${id}.${type}`, data));
    if (pending.length >= 2000) {
      await Promise.all(pending);
      pending = [];
    }
  }
  await Promise.all(pending);
}
console.log("published");
const { ref, projection } = await resolveProjection(process.argv[4] ?? "graph");
const settings = {
  domain: "graph",
  domainSettings: domainSettingsSchema.parse({}),
  aggregateId: null,
  continueFromEntries: false,
  fromSeq: null,
  toSeq: null,
  fromTimeMs: null,
  toTimeMs: null,
  timeBasis: "event" as const,
  target: "CIM_PROJECTIONS",
  projection: ref,
  parallel: 4,
  units: process.argv[5] ? Number(process.argv[5]) : null,
  batchSize: 1000,
  prefetch: 10000,
  bufferSize: 100000,
  memoryLimitBytes: null,
  gcInterval: null,
  checkpointInterval: process.argv[6] ? Number(process.argv[6]) : 100000,
  skipErrors: 0,
  prune: false,
};
const mk = (n: string) => ({
  debug() {},
  info(o: object, m: string) {
    console.log(n, m, JSON.stringify(o));
  },
  warn(o: object, m: string) {
    console.log(n, "WARN", m, JSON.stringify(o));
  },
  error(o: object, m: string) {
    console.log(n, "ERROR", m, o);
  },
  child() {
    return this;
  },
});
const queueOptions = { ...QUEUE_DEFAULTS, redisUrl: pair.redis.url };
const queue = await UnitQueue.open(queueOptions);
const ledger = await Ledger.open(client, { create: true });
if (!ledger) throw new Error("x");
const ctx = { client, ledger, queue, log: mk("coord") };
const client2 = await connectNats({ url: pair.nats.url, name: "w" });
const worker = startWorker({
  client: client2,
  queue: queueOptions,
  workerId: "w1",
  concurrency: 2,
  log: mk("w1"),
  loadProjection,
});
await worker.ready();
for (let round = 0; round < 3; round++) {
  const t0 = performance.now();
  const plan = await planReplay(client, settings, projection, `run-${Date.now()}`);
  const t1 = performance.now();
  if (round === 0) console.log(JSON.stringify(plan, null, 1));
  const held = await startRun(ctx, "domain-replay", settings, plan);
  const ended = await driveRun(ctx, held, {
    pool: null,
    localWorkers: 0,
    checkpointDir: null,
    onProgress() {},
    signal: new AbortController().signal,
  });
  console.log(
    ended.state,
    ended.reason,
    JSON.stringify(ended.summary),
    "plan ms",
    t1 - t0,
    "total",
    performance.now() - t0,
    "rate",
    (N / (performance.now() - t0)) * 1000,
  );
}
let n = 0;
for await (const b of readEntries(client, "CIM_PROJECTIONS", "graph.>"))
  for (const e of b) if (n++ < 1) console.log(e.key, e.provenance, Buffer.from(e.value).toString().slice(0, 300));
console.log(n);
await worker.stop();
await queue.close();
await client.close();
await client2.close();
await pair.stop();
