import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { serversDown, serversStatus, serversUp, type UpOptions } from "./background.ts";
import { readState, withLock, writeState } from "./background-state.ts";
import { dialogue } from "./dialogue.ts";
import { freePort } from "./ports.ts";
import { processStart, startFromPs } from "./process-identity.ts";

let options: UpOptions & { dir: string };

beforeEach(async () => {
  const dir = await mkdtemp(join(tmpdir(), "cim-replay-background-"));
  options = { dir, natsPort: await freePort(), redisPort: await freePort() };
});

afterEach(async () => {
  await serversDown(options).catch(() => []);
  await rm(options.dir, { recursive: true, force: true });
});

test("servers outlive the process that brought them up, and go down on request", async () => {
  const module = JSON.stringify(new URL("./background.ts", import.meta.url).href);
  const script = `await (await import(${module})).serversUp(${JSON.stringify(options)});`;
  const args = ["--conditions=source", "--input-type=module", "-e", script];
  const [code] = await once(spawn(process.execPath, args, { stdio: "ignore" }), "exit");
  expect(code).toBe(0);
  const servers = await serversStatus(options);
  expect(servers).toMatchObject([
    { kind: "nats", running: true },
    { kind: "redis", running: true },
  ]);
  const greeting = await dialogue(options.natsPort ?? 0, "", (text) => text.includes("\r\n"));
  expect(greeting).toContain('"jetstream":true');
  expect((await serversDown(options)).map(({ outcome }) => outcome)).toEqual(["ended", "ended"]);
  for (const { pid } of servers) expect(await processStart(pid)).toBeNull();
  expect(await serversStatus(options)).toEqual([]);
});

test("up twice starts once; a server that died is started again beside the one that runs", async () => {
  const first = await serversUp(options);
  expect([first.nats.state, first.redis.state]).toEqual(["started", "started"]);
  const second = await serversUp(options);
  expect(second.nats).toMatchObject({ ...first.nats, state: "already up" });
  const redis = (await readState(options.dir)).find(({ kind }) => kind === "redis");
  if (redis === undefined) throw new Error("no redis in the state file");
  process.kill(redis.pid, "SIGKILL");
  await expect.poll(() => processStart(redis.pid)).toBeNull();
  const third = await serversUp(options);
  expect([third.nats.state, third.redis.state]).toEqual(["already up", "started"]);
  expect(await serversStatus(options)).toHaveLength(2);
});

test("starts nothing where a URL is given", async () => {
  const up = await serversUp({ ...options, natsUrl: "nats://example:4222", redisUrl: "redis://example:6379" });
  expect([up.nats.state, up.redis.state]).toEqual(["given", "given"]);
  expect(await serversStatus(options)).toEqual([]);
});

test("down spares a process that was given the id of a server that has ended", async () => {
  const { nats } = await serversUp({ ...options, redisUrl: "redis://example:6379" });
  if (nats.state !== "started") throw new Error("not started");
  await serversDown(options);
  const stranger = spawn("sleep", ["60"]);
  try {
    await writeState(options.dir, [{ ...nats.server, pid: stranger.pid ?? 0 }]);
    expect(await serversDown(options)).toMatchObject([{ outcome: "was not running" }]);
    expect(await processStart(stranger.pid ?? 0)).not.toBeNull();
  } finally {
    stranger.kill("SIGKILL");
  }
});

test("refuses a state file that it did not write", async () => {
  await writeFile(join(options.dir, "servers.json"), '[{"kind":"nats","pid":-1}]');
  await expect(serversDown(options)).rejects.toThrow(/Cannot read .*servers\.json/);
});

test("two processes do not change the servers at once, and a lock of a process that is gone does not hold", async () => {
  await withLock(options.dir, async () => {
    await expect(serversDown(options)).rejects.toThrow(`process ${process.pid} is doing so`);
  });
  await writeFile(join(options.dir, "servers.lock"), `${process.pid}\nanother start`);
  expect(await serversDown(options)).toEqual([]);
});

test("a process is known by its start, with /proc and without", async () => {
  const [own, other] = await Promise.all([processStart(process.pid), processStart(process.ppid)]);
  expect(own).toBe(await processStart(process.pid));
  expect(own).not.toBe(other);
  expect(await startFromPs(process.pid)).toMatch(/\d{4}$/);
  expect(await startFromPs(2 ** 22 + 1)).toBeNull();
});
