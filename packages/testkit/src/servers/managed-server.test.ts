import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { dialogue } from "./dialogue.ts";
import type { ServerHandle } from "./managed-server.ts";
import { startNats } from "./nats-server.ts";
import { startServerPair } from "./pair.ts";
import { processStart } from "./process-identity.ts";
import { startRedis } from "./redis-server.ts";

const started: ServerHandle[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
});

async function keep<T extends ServerHandle>(starting: Promise<T>): Promise<T> {
  const server = await starting;
  started.push(server);
  return server;
}

/** The JSON that JetStream answers to a request. */
async function jetStream(port: number, subject: string, body: string): Promise<Record<string, unknown>> {
  const pub = `PUB ${subject} reply ${Buffer.byteLength(body)}\r\n${body}\r\n`;
  const text = await dialogue(port, `CONNECT {"verbose":false}\r\nSUB reply 1\r\n${pub}`, (all) =>
    /MSG .*\r\n.*\r\n$/.test(all),
  );
  return JSON.parse(/MSG .*\r\n(.*)\r\n$/.exec(text ?? "")?.[1] ?? "null");
}

async function redisSays(port: number, command: string): Promise<string | null> {
  return dialogue(port, `${command}\r\n`, (text) => text.endsWith("\r\n"));
}

test("NATS killed and restarted has its port and its messages, in another process", async () => {
  const nats = await keep(startNats());
  const { url, pid } = nats;
  await jetStream(nats.port, "$JS.API.STREAM.CREATE.KEPT", '{"name":"KEPT","subjects":["kept"]}');
  expect(await jetStream(nats.port, "kept", "hello")).toMatchObject({ stream: "KEPT", seq: 1 });
  await nats.kill();
  expect(await processStart(pid)).toBeNull();
  await nats.restart();
  expect(nats.url).toBe(url);
  expect(nats.pid).not.toBe(pid);
  expect(await jetStream(nats.port, "$JS.API.STREAM.INFO.KEPT", "")).toMatchObject({ state: { messages: 1 } });
});

test("Redis killed and restarted has its data, until they are flushed", async () => {
  const redis = await keep(startRedis());
  expect(await redisSays(redis.port, "SET colour green")).toBe("+OK\r\n");
  await redis.kill();
  await redis.restart();
  expect(await redisSays(redis.port, "GET colour")).toBe("$5\r\ngreen\r\n");
  await redis.flushAll();
  expect(await redisSays(redis.port, "GET colour")).toBe("$-1\r\n");
});

test("a paused server answers nothing until it is resumed, and a paused server can be stopped", async () => {
  const redis = await keep(startRedis());
  redis.pause();
  expect(await dialogue(redis.port, "PING\r\n", (text) => text.length > 0, 200)).toBeNull();
  redis.resume();
  expect(await redisSays(redis.port, "PING")).toBe("+PONG\r\n");
  redis.pause();
  await redis.stop();
  expect(await processStart(redis.pid)).toBeNull();
});

test("stop removes temporary data, keeps those in a given folder, and may be called twice", async () => {
  const given = await mkdtemp(join(tmpdir(), "cim-replay-given-"));
  const temporary = await keep(startNats());
  const lasting = await keep(startNats({ dir: given, config: "max_payload: 64KB" }));
  for (const server of [temporary, lasting, temporary]) await server.stop();
  expect(existsSync(temporary.dir)).toBe(false);
  expect(existsSync(join(given, "data"))).toBe(true);
  await rm(given, { recursive: true });
});

test("refuses a port that is taken, naming the reason", async () => {
  const redis = await keep(startRedis());
  await expect(startNats({ port: redis.port })).rejects.toThrow(/Cannot start .*address already in use/);
  await expect(startRedis({ port: redis.port })).rejects.toThrow(/Cannot start .*address already in use/i);
});

test("many servers started at once do not get into each other's way", async () => {
  const pairs = await Promise.all(Array.from({ length: 4 }, () => startServerPair()));
  expect(new Set(pairs.flatMap(({ nats, redis }) => [nats.port, redis.port])).size).toBe(8);
  await Promise.all(pairs.map((pair) => pair.stop()));
});

test.each([
  ["SIGKILL", 'process.kill(process.pid, "SIGKILL")'],
  ["Ctrl-C", 'process.kill(process.pid, "SIGINT")'],
  ["exit", "process.exit(0)"],
  ["an uncaught error", 'throw new Error("on purpose")'],
  ["running out of work", ""],
])("no server and no temporary data outlive a process that ends by %s", async (_way, end) => {
  const module = JSON.stringify(new URL("./pair.ts", import.meta.url).href);
  const script = `
    const { nats, redis } = await (await import(${module})).startServerPair();
    await redis.restart();
    const about = JSON.stringify([nats, redis].map(({ pid, dir }) => ({ pid, dir })));
    await new Promise((written) => process.stdout.write(about, written));
    ${end};`;
  const args = ["--conditions=source", "--input-type=module", "-e", script];
  const parent = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
  let output = "";
  parent.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  await once(parent, "close");
  const servers = JSON.parse(output) as { pid: number; dir: string }[];
  expect(servers).toHaveLength(2);
  for (const { pid, dir } of servers) {
    await vi.waitFor(async () => expect(await processStart(pid)).toBeNull(), 5_000);
    await vi.waitFor(() => expect(existsSync(dir)).toBe(false), 5_000);
  }
});
