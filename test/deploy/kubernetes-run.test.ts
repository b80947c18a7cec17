import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNats, type NatsClient } from "@cim-replay/nats";
import {
  freePort,
  generateEvents,
  publishEvents,
  readBucket,
  type ServerPair,
  startServerPair,
} from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { askRedis } from "../support/ask-redis.ts";
import { dataOf, environmentOf, named, render, type Workload, workloadsIn } from "../support/kubernetes-manifests.ts";
import { ReplayProcess } from "../support/replay-process.ts";
import { until } from "../support/until.ts";

const EVENTS = 2_000;
const AGGREGATES = 50;
const manifests = ["base", "jobs/replay", "jobs/resume"].flatMap(render);
const workloads = new Map(workloadsIn(manifests).map((workload) => [workload.name, workload]));

let servers: ServerPair;
let client: NatsClient;
let root: string;

beforeAll(async () => {
  servers = await startServerPair();
  // As in the manifests: the default user, with the password of the Secret.
  const { password } = dataOf(named(manifests, "Secret", "cim-replay-redis"));
  expect(await askRedis(servers.redis.url, `CONFIG SET requirepass ${password}`)).toBe("+OK");
  client = await connectNats({ url: servers.nats.url, name: "kubernetes" });
  const events = generateEvents({ domains: ["graph"], events: EVENTS, aggregates: AGGREGATES, skew: 0, seed: 1 });
  await publishEvents(client, { events });
  root = realpathSync(mkdtempSync(join(tmpdir(), "cim-replay-pods-")));
});
afterAll(async () => {
  await client.close();
  await servers.stop();
  rmSync(root, { recursive: true, force: true });
});

/**
 * Starts what a container would run: its command and arguments, its environment, its mounts as folders here. Only the addresses
 * are the test's, and NATS has no accounts.
 */
async function startPod(name: string): Promise<{ process: ReplayProcess; url: string; workload: Workload }> {
  const workload = workloads.get(name);
  if (!workload) throw new Error(`no workload ${name}`);
  const { pod, container } = workload;
  const folders = container.volumeMounts.map(({ name: volume, mountPath }) => {
    const { configMap, secret } = pod.spec.volumes.find((found) => found.name === volume) ?? {};
    const source = configMap
      ? named(manifests, "ConfigMap", configMap.name)
      : secret && named(manifests, "Secret", secret.secretName);
    const folder = join(root, mountPath);
    mkdirSync(folder, { recursive: true });
    for (const [key, text] of Object.entries(source ? dataOf(source) : {})) writeFileSync(join(folder, key), text);
    return { mountPath, folder };
  });
  const mounted = (value: string) => {
    const mount = folders.find(({ mountPath }) => value.startsWith(`${mountPath}/`));
    return mount ? value.replace(mount.mountPath, mount.folder) : value;
  };
  const given = environmentOf(container, manifests);
  const port = await freePort();
  const env = {
    ...Object.fromEntries(Object.entries(given).map(([key, value]) => [key, mounted(value)])),
    NATS_URL: servers.nats.url,
    NATS_CREDS: "none",
    REDIS_URL: given.REDIS_URL?.replace(given.REDIS_ADDRESS ?? "", new URL(servers.redis.url).host),
    CIM_REPLAY_METRICS_PORT: String(port),
    PATH: process.env.PATH,
  };
  const [tool = "", ...args] = [...container.command, ...container.args];
  const portAt = args.indexOf("--port") + 1;
  if (portAt > 0) args[portAt] = String(port);
  const started = new ReplayProcess(tool, args, { env, cwd: root });
  onTestFinished(async () => {
    if (started.isRunning) started.kill("SIGKILL");
    await started.exited;
  });
  return { process: started, url: `http://127.0.0.1:${port}`, workload };
}

async function startReady(name: "worker" | "dashboard") {
  const worker = await startPod(name);
  const { readinessProbe } = worker.workload.container;
  const isReady = () =>
    fetch(`${worker.url}${readinessProbe?.httpGet.path}`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(isReady, () => `readiness. ${worker.process.said}`);
  return worker;
}

describe("what the manifests start", () => {
  test("is a worker that answers its probes, has the metrics that KEDA asks for, and leaves in good order", async () => {
    const { process: worker, url, workload } = await startReady("worker");
    const { startupProbe, livenessProbe } = workload.container;
    for (const probe of [startupProbe, livenessProbe]) {
      expect((await fetch(`${url}${probe?.httpGet.path}`)).status).toBe(200);
    }
    const scraped = await fetch(`${url}${workload.pod.metadata.annotations["prometheus.io/path"]}`);
    const text = await scraped.text();
    expect(text).toMatch(/^# TYPE cim_replay_lag_seconds gauge$/m);
    worker.kill("SIGTERM");
    expect(await worker.exited).toBe(0);
  });

  test("is a dashboard that answers its probes, and wants the login of the Secret", async () => {
    const { url, workload } = await startReady("dashboard");
    const { startupProbe, livenessProbe } = workload.container;
    for (const probe of [startupProbe, livenessProbe]) {
      expect((await fetch(`${url}${probe?.httpGet.path}`)).status).toBe(200);
    }
    const { username, password } = dataOf(named(manifests, "Secret", "cim-replay-dashboard"));
    expect((await fetch(url)).status).toBe(401);
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    expect((await fetch(url, { headers: { authorization } })).status).toBe(200);
  });

  test("is a replay that goes on where it was ended, and one that keeps what is there before it begins anew", async () => {
    const { process: interrupted } = await startPod("replay-graph");
    await interrupted.says(/graph 0\.0 %/);
    interrupted.kill("SIGTERM");
    expect(await interrupted.exited, interrupted.said).toBe(130);

    await startReady("worker");
    const { process: resumed } = await startPod("replay-graph-resumed");
    expect(await resumed.exited, resumed.said).toBe(0);
    expect(resumed.said).toContain("certificate  holds");
    expect((await readBucket(client, "CIM_PROJECTIONS")).size).toBe(AGGREGATES);

    const { process: again } = await startPod("replay-graph");
    expect(await again.exited, again.said).toBe(0);
    expect(again.said).toContain(join(root, "/var/lib/cim-replay/backups"));
  }, 120_000);
});
