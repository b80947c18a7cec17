import { tmpdir } from "node:os";
import { newUnitRecord } from "@cim-replay/core";
import { connectNats, Ledger, type NatsClient } from "@cim-replay/nats";
import { planOf, runOf, type ServerPair, settingsOf, startServerPair } from "@cim-replay/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runTool, type ToolResult } from "../run-tool.fixture.ts";

let servers: ServerPair;
let client: NatsClient;
let ledger: Ledger;

beforeAll(async () => {
  servers = await startServerPair();
  client = await connectNats({ url: servers.nats.url, name: "test" });
  const opened = await Ledger.open(client, { create: true });
  if (!opened) throw new Error("no ledger");
  ledger = opened;
});
afterAll(async () => {
  await client.close();
  await servers.stop();
});

function debug(redisUrl: string, ...args: readonly string[]): Promise<ToolResult> {
  return runTool("debug-replay", args, { cwd: tmpdir(), env: { NATS_URL: servers.nats.url, REDIS_URL: redisUrl } });
}

test("shows who holds what, and says what is wrong", async () => {
  const settings = settingsOf("HELD");
  const held = { ...newUnitRecord("held", "u0", 1, 1), state: "running" as const, epoch: 3, owner: "gone-w1" };
  const waiting = newUnitRecord("held", "u1", 1, 1);
  await ledger.createRun(runOf("held", { settings }), planOf("held"), [held, waiting]);
  await client.jsm.streams.add({ name: "HELD", subjects: ["HELD.>"] });
  await client.js.publish("HELD.graph.a.X", "{}");
  const shown = await debug(servers.redis.url, "--run", "held", "--show-locks");
  expect(shown).toMatchObject({ status: 0, stderr: "" });
  expect(shown.stdout).toContain(
    "! No coordinator is at this run any more. Go on with `event-replay --resume --run held`.",
  );
  expect(shown.stdout).toContain("! Redis is empty while unit u1 is pending.");
  expect(shown.stdout).toContain("! Worker gone-w1 has unit u0 and has shown no life for");
  expect(shown.stdout).toMatch(/^u0 +running +3 .*gone-w1 \(silent\)$/m);
  expect(shown.stdout).toContain("0 waiting, 0 active, 0 delayed");
  const { stdout } = await debug(servers.redis.url, "--run", "held", "--show-locks", "--format", "json");
  expect(JSON.parse(stdout)).toMatchObject({
    run_id: "held",
    coordinated: false,
    redis: true,
    diagnosis: [expect.any(String), expect.any(String), expect.any(String)],
    locks: {
      lease: null,
      queue: { workers: 0 },
      units: [
        { id: "u0", silent: true },
        { id: "u1", silent: false },
      ],
    },
  });
});

test("says that Redis is away, and that nothing is wrong with what has ended", async () => {
  await ledger.createRun(runOf("waits"), planOf("waits"), [newUnitRecord("waits", "u0", 1, 1)]);
  const away = await debug("redis://127.0.0.1:1", "--run", "waits");
  expect(away.status).toBe(0);
  expect(away.stdout).toContain("! Redis cannot be reached");
  await ledger.createRun(runOf("done", { state: "completed" }), planOf("done"), []);
  expect((await debug(servers.redis.url, "--run", "done")).stdout).toContain("Nothing is wrong.");
});
