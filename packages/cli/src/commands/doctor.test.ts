import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  bucketProbes,
  connectNats,
  ensureBucket,
  type NatsClient,
  ownStreamProbes,
  readProbes,
  signalProbes,
  verifyProbes,
} from "@cim-replay/nats";
import { freePort, type RedisHandle, type ServerHandle, startNats, startRedis } from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runTool, type ToolResult } from "../run-tool.fixture.ts";

const DAY_NANOS = 86_400 * 1e9;
const TARGET = "T";

let nats: ServerHandle;
let redis: RedisHandle;
let client: NatsClient;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cim-replay-doctor-"));
  [nats, redis] = await Promise.all([startNats(), startRedis()]);
  client = await connectNats({ url: nats.url, name: "test" });
  await client.jsm.streams.add({ name: "GOOD", subjects: ["good.>"] });
});
afterAll(async () => {
  await client.close();
  await Promise.all([nats.stop(), redis.stop()]);
  await rm(folder, { recursive: true });
});

interface Env {
  readonly natsUrl?: string;
  readonly redisUrl?: string;
  /** Of the described domain `shop`. */
  readonly stream?: string;
  readonly target?: string;
  readonly port?: number;
}

async function doctor({ stream = "GOOD", target = TARGET, port = 0, ...urls }: Env = {}): Promise<ToolResult> {
  const config = join(folder, `${stream}.yaml`);
  await writeFile(
    config,
    `domains: { shop: { stream: ${stream}, subject: "${stream.toLowerCase()}.{aggregate_id}.{event_type}" } }\n`,
  );
  const env = { NATS_URL: urls.natsUrl ?? nats.url, REDIS_URL: urls.redisUrl ?? redis.url };
  const args = ["doctor", "--config", config, "--target", target, "--metrics-port", String(port)];
  return runTool("cim-replay", args, { cwd: folder, env });
}

test("all is well on servers as they should be, also before the first run, and nothing was written", async () => {
  const found = await doctor();
  expect(found).toMatchObject({ status: 0, stderr: "" });
  expect(found.stdout).toMatch(/^ok {7}permissions: all \d+ that a replay takes are held$/m);
  expect(found.stdout).toContain("bucket T: not there yet");
  expect(found.stdout).toMatch(/All is well: \d+ ok\.\n$/);
  expect((await client.jsm.getAccountInfo()).streams).toBe(1);
  const { state } = await client.jsm.streams.info("GOOD");
  expect(state).toMatchObject({ messages: 0, consumer_count: 0 });
});

describe("a stream", () => {
  test.each([
    ["is not there", "NONE", null, 1, "there is none"],
    ["hands messages out once", "QUEUE", { retention: "workqueue" }, 1, "retention workqueue"],
    ["forgets", "SHORT", { max_age: DAY_NANOS }, 0, "it keeps 1 d"],
    ["keeps one message a subject", "LATEST", { max_msgs_per_subject: 1 }, 0, "1 messages a subject at most"],
    ["is in memory", "FLEETING", { storage: "memory" }, 0, "it is in memory"],
    ["is a copy", "COPY", { mirror: { name: "GOOD" }, subjects: undefined }, 0, "it is a mirror"],
  ] as const)("that %s is told", async (_what, stream, config, status, words) => {
    if (config) {
      const settings = { name: stream, subjects: [`${stream.toLowerCase()}.>`], ...config };
      await client.jsm.streams.add(settings as Parameters<typeof client.jsm.streams.add>[0]);
    }
    const found = await doctor({ stream });
    expect(found.status).toBe(status);
    expect(lineOf(found, `stream ${stream}`)).toMatch(status === 1 ? /^problem/ : /^warning/);
    expect(lineOf(found, `stream ${stream}`)).toContain(words);
  });

  test("that lost its beginning, or messages inside it, is told", async () => {
    await client.jsm.streams.add({ name: "HOLES", subjects: ["holes.>"] });
    for (let i = 0; i < 5; i++) await client.js.publish(`holes.a.${i}`, "{}");
    for (const seq of [1, 3]) await client.jsm.streams.deleteMessage("HOLES", seq);
    const { stdout, status } = await doctor({ stream: "HOLES" });
    expect(status).toBe(0);
    expect(stdout).toMatch(/warning {2}stream HOLES: it begins at sequence 2/);
    expect(stdout).toMatch(/warning {2}stream HOLES: 1 messages inside it were deleted/);
  });
});

describe("a bucket", () => {
  test.each([
    ["entries expire", "TTL", { max_age: DAY_NANOS }, 1, "entries expire after 1 d"],
    ["only small values fit", "SMALL", { max_msg_size: 1_024 }, 0, "values of 1.0 KiB at most"],
    ["old revisions pile up", "OLD", { max_msgs_per_subject: 5 }, 0, "it keeps 5 revisions"],
  ] as const)("in which %s is told", async (_what, target, config, status, words) => {
    await ensureBucket(client, target);
    await client.jsm.streams.update(`KV_${target}`, config);
    const found = await doctor({ target });
    expect(found.status).toBe(status);
    expect(lineOf(found, `bucket ${target}`)).toContain(words);
  });

  test("that is nearly full is told", async () => {
    await ensureBucket(client, "FULL");
    await client.js.publish("$KV.FULL.shop.a", "x".repeat(10_000));
    await client.jsm.streams.update("KV_FULL", { max_bytes: 11_000 });
    expect(lineOf(await doctor({ target: "FULL" }), "bucket FULL")).toMatch(/^warning .* that it may hold/);
  });
});

test("each permission that is denied is named, and what it is for; nothing else is said of what may not be looked at", async () => {
  const probes = [
    ...[...signalProbes(), ...readProbes("GOOD"), ...verifyProbes("GOOD")],
    ...[...ownStreamProbes(), ...bucketProbes(TARGET, false)],
  ];
  for (const kind of ["publish", "subscribe"] as const) {
    const denied = probes.filter((probe) => probe.kind === kind).map(({ subject }) => subject);
    const config = `authorization { users: [{ user: "u", password: "p", permissions: { ${kind}: { deny: ${JSON.stringify(denied)} } } }] }`;
    await using stack = new AsyncDisposableStack();
    const other = await startNats({ config });
    stack.defer(() => other.stop());
    const natsUrl = other.url.replace("//", "//u:p@");
    const { stdout, status } = await doctor({ natsUrl });
    expect(status).toBe(1);
    for (const subject of denied) expect(stdout).toContain(`permissions: ${kind} to ${subject} is denied`);
    expect(stdout.match(/^problem/gm)).toHaveLength(denied.length);
    expect(stdout).not.toContain("u:p@");
  }
});

describe("Redis", () => {
  test.each([
    ["drops keys", "maxmemory-policy allkeys-lru\n", 1, /^problem .*maxmemory-policy allkeys-lru/m],
    ["keeps nothing over a restart", "appendonly no\n", 0, /^warning .*no append-only file/m],
    ["may not be written to", "user default on nopass ~* +@all -set\n", 1, /^problem .*scripts may not write there/m],
    ["is nearly full", "maxmemory 1mb\n", 0, /^warning .*that it may use/m],
  ])("that %s is told", async (_what, config, status, words) => {
    await using stack = new AsyncDisposableStack();
    const other = await startRedis({ config });
    stack.defer(() => other.stop());
    const found = await doctor({ redisUrl: other.url });
    expect(found.stdout).toMatch(words);
    expect(found.status).toBe(status);
  });
});

test("a server that is away is told beside what the other one says, and its password is not", async () => {
  const away = `127.0.0.1:${await freePort()}`;
  const withoutNats = await doctor({ natsUrl: `nats://me:hush@${away}` });
  expect(withoutNats.status).toBe(3);
  expect(withoutNats.stdout).toMatch(/^problem {2}NATS at nats:\/\/\*\*\*@127/m);
  expect(withoutNats.stdout).toMatch(/^ok {7}Redis at .*: version/m);
  const withoutRedis = await doctor({ redisUrl: `redis://:hush@${away}` });
  expect(withoutRedis.status).toBe(3);
  expect(withoutRedis.stdout).toMatch(/^problem {2}Redis at .*connection refused/m);
  expect(withoutRedis.stdout).toMatch(/^ok {7}permissions/m);
  expect(withoutNats.stdout + withoutRedis.stdout).not.toContain("hush");
});

test("a metrics port that somebody has is a warning", async () => {
  const port = await freePort();
  const holder = createServer().listen(port);
  const found = await doctor({ port });
  holder.close();
  expect(found.status).toBe(0);
  expect(lineOf(found, `port ${port}`)).toMatch(/^warning .*in use/);
});

test("gives the same as JSON", async () => {
  const env = { NATS_URL: nats.url, REDIS_URL: redis.url };
  const args = ["doctor", "--format", "json", "--metrics-port", "off"];
  const { stdout, status } = await runTool("cim-replay", args, { cwd: folder, env });
  expect(status).toBe(1);
  expect(JSON.parse(stdout)).toContainEqual({
    verdict: "problem",
    about: "stream EVENTS",
    found: "there is none",
    advice: "Set domains.<domain>.stream in cim-replay.yaml.",
  });
});

function lineOf({ stdout }: ToolResult, about: string): string {
  return stdout.split("\n").find((line) => line.includes(` ${about}: `)) ?? "";
}
