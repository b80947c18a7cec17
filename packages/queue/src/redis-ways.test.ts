import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UnreachableError, UsageError } from "@cim-replay/core";
import { freePort, type RedisHandle, startRedis, startSentinel } from "@cim-replay/testkit";
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { consumeUnits } from "./consume-units.ts";
import { QUEUE_DEFAULTS, type QueueOptions, type RedisServer } from "./options.ts";
import { redisFacts } from "./redis-facts.ts";
import { UnitQueue } from "./unit-queue.ts";

async function redis(config: string): Promise<RedisHandle> {
  const server = await startRedis({ config });
  onTestFinished(() => server.stop());
  return server;
}

const optionsFor = (server: RedisServer): QueueOptions => ({ ...QUEUE_DEFAULTS, stalledIntervalMs: 200, ...server });

/** Sends units to a worker until `isEnough`; all that it was sent, in order. */
async function dispatch(
  server: RedisServer,
  isEnough: (seen: readonly string[]) => Promise<boolean>,
): Promise<string[]> {
  await using stack = new AsyncDisposableStack();
  const options = optionsFor(server);
  const queue = stack.adopt(await UnitQueue.open(options), (each) => each.close());
  const seen: string[] = [];
  const worker = consumeUnits(options, {
    workerId: "w",
    concurrency: 1,
    handle: async ({ unit }) => void seen.push(unit),
    onError: () => undefined,
  });
  stack.defer(() => worker.close());
  await worker.ready();
  for (let at = 0; !(await isEnough(seen)); at++) {
    await queue.enqueue({ runId: "r", unit: `u${at}`, dispatch: 1 }).catch((error: unknown) => {
      if (!(error instanceof UnreachableError)) throw error;
    });
    await sleep(50);
  }
  expect(await queue.workerCount()).toBe(1);
  return seen;
}

const five = async (seen: readonly string[]) => seen.length >= 5;

function certificates() {
  const folder = mkdtempSync(join(tmpdir(), "cim-replay-redis-tls-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  const files = ["-keyout", key, "-out", cert];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...files, ...subject], {
    stdio: "ignore",
  });
  return { cert, key };
}

test("TLS: by an authority of one's own, and with a client's certificate where the server asks for it", async () => {
  const { cert, key } = certificates();
  const port = await freePort();
  const tls = `tls-port ${port}\ntls-cert-file ${cert}\ntls-key-file ${key}\ntls-ca-cert-file ${cert}\ntls-auth-clients yes\n`;
  await redis(tls);
  const redisUrl = `rediss://127.0.0.1:${port}`;
  const all = { redisUrl, redisCa: cert, redisCert: cert, redisKey: key };
  expect((await redisFacts(optionsFor(all))).writeRefusal).toBe(null);
  expect(await dispatch(all, five)).toContain("u0");
  await expect(UnitQueue.open(optionsFor({ redisUrl, redisCert: cert, redisKey: key }))).rejects.toThrow(/certificate/);
  await expect(UnitQueue.open(optionsFor({ redisUrl, redisCa: cert }))).rejects.toThrow(/Cannot (reach|use) Redis/);
  await expect(UnitQueue.open(optionsFor({ redisUrl, redisCa: "/nowhere" }))).rejects.toThrow(UsageError);
});

test("Sentinel: the master is asked for, and the queue goes on with the next one when it is gone", async () => {
  const master = await redis("");
  const replica = await redis("");
  for (const { url } of [master, replica]) await withPassword(url);
  const admin = new Redis(replica.url, { password: "hush" });
  onTestFinished(() => admin.disconnect());
  await admin.call("REPLICAOF", "127.0.0.1", master.port);
  const sentinel = await startSentinel({ name: "units", masterPort: master.port, password: "hush" });
  onTestFinished(() => sentinel.stop());
  const server = { redisUrl: `redis://:hush@127.0.0.1:${sentinel.port}`, redisSentinel: "units" };
  while (!/master_link_status:up/.test(await admin.info("replication"))) await sleep(50);
  let killedAt = Number.POSITIVE_INFINITY;
  await dispatch(server, async (seen) => {
    if (seen.length >= 5 && killedAt === Number.POSITIVE_INFINITY) {
      await master.kill();
      killedAt = seen.length;
    }
    return seen.length >= killedAt + 5;
  });
  expect(await admin.info("replication")).toContain("role:master");
});

test("Sentinels that ask for a password of their own get it, from a setting or a file, and no other", async () => {
  const master = await redis("");
  const replica = await redis("");
  for (const { url } of [master, replica]) await withPassword(url);
  const admin = new Redis(replica.url, { password: "hush" });
  onTestFinished(() => admin.disconnect());
  await admin.call("REPLICAOF", "127.0.0.1", master.port);
  const watched = { name: "units", masterPort: master.port, password: "hush" };
  const sentinel = await startSentinel({ ...watched, ownPassword: "whisper" });
  onTestFinished(() => sentinel.stop());
  const folder = mkdtempSync(join(tmpdir(), "cim-replay-sentinel-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const redisSentinelPasswordFile = join(folder, "password");
  writeFileSync(redisSentinelPasswordFile, "whisper\n");
  const server = { redisUrl: `redis://:hush@127.0.0.1:${sentinel.port}`, redisSentinel: "units" };
  expect(await dispatch({ ...server, redisSentinelPassword: "whisper" }, five)).toContain("u0");
  expect(await dispatch({ ...server, redisSentinelPasswordFile }, five)).toHaveLength(5);
  await expect(UnitQueue.open(optionsFor(server))).rejects.toThrow(/^Cannot (?:reach|use) Redis/);
  await expect(UnitQueue.open(optionsFor({ ...server, redisSentinelPassword: "hush" }))).rejects.toThrow(
    /^Cannot (?:reach|use) Redis/,
  );
  const away = { ...server, redisSentinelPasswordFile: join(folder, "nowhere") };
  await expect(UnitQueue.open(optionsFor(away))).rejects.toThrow(UsageError);
});

test("Cluster: the queue's keys lie together on one of its nodes", async () => {
  const nodes = await Promise.all(
    [1, 2, 3].map(() => redis("cluster-enabled yes\ncluster-node-timeout 2000\ncluster-require-full-coverage yes\n")),
  );
  await join3(nodes);
  const server = {
    redisUrl: nodes
      .slice(0, 2)
      .map(({ url }) => url)
      .join(","),
    redisCluster: true,
  };
  expect((await redisFacts(optionsFor(server))).isCluster).toBe(true);
  expect(await dispatch(server, five)).toContain("u0");
  const holders = await Promise.all(
    nodes.map(async ({ url }) => {
      const client = new Redis(url);
      const keys = await client.keys("*");
      client.disconnect();
      return keys;
    }),
  );
  const keys = holders.flat();
  expect(keys.length).toBeGreaterThan(0);
  expect(keys.every((key) => key.startsWith("{cim-replay}:"))).toBe(true);
  expect(holders.filter((held) => held.length > 0)).toHaveLength(1);
});

test("several URLs without a word of what they are, are a mistake", async () => {
  const redisUrl = "redis://127.0.0.1:1,redis://127.0.0.1:2";
  await expect(UnitQueue.open(optionsFor({ redisUrl }))).rejects.toThrow(UsageError);
});

async function withPassword(url: string): Promise<void> {
  const client = new Redis(url);
  await client.config("SET", "masterauth", "hush");
  await client.config("SET", "requirepass", "hush");
  client.disconnect();
}

async function join3(nodes: readonly RedisHandle[]): Promise<void> {
  const clients = nodes.map(({ url }) => new Redis(url));
  const [first] = clients;
  for (const [at, client] of clients.entries()) {
    const [from, to] = [Math.floor((16_384 * at) / 3), Math.floor((16_384 * (at + 1)) / 3) - 1];
    await client.call("CLUSTER", "ADDSLOTSRANGE", from, to);
    if (at > 0) await first?.call("CLUSTER", "MEET", "127.0.0.1", nodes[at]?.port ?? 0);
  }
  const isJoined = async () => {
    const infos = await Promise.all(clients.map((client) => client.call("CLUSTER", "INFO")));
    return infos.every((info) => /cluster_state:ok[\s\S]*cluster_known_nodes:3/.test(String(info)));
  };
  while (!(await isJoined())) await sleep(50);
  for (const client of clients) client.disconnect();
}
