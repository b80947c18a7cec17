import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@cim-replay/testkit";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { runTool } from "../run-tool.fixture.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "servers-test-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const servers = (args: readonly string[], env: Record<string, string>) =>
  runTool("cim-replay", ["servers", ...args, "--dir", folder], { cwd: folder, env });

test("servers that are given and listen are taken as they are", async () => {
  const { natsUrl, redisUrl } = { natsUrl: inject("natsUrl"), redisUrl: inject("redisUrl") };
  const up = await servers(["up"], { NATS_URL: natsUrl, REDIS_URL: redisUrl });
  expect(up.stdout).toBe(`nats ${natsUrl}: given\nredis ${redisUrl}: given\n`);
  expect(up.status).toBe(0);
});

test("one that is given and does not listen is no server, and what to do is said", async () => {
  const gone = await freePort();
  const up = await servers(["up"], { NATS_URL: `nats://127.0.0.1:${gone}`, REDIS_URL: inject("redisUrl") });
  expect(up.status).toBe(1);
  expect(up.stdout).toBe("");
  expect(up.stderr).toContain(`Cannot use nats at nats://127.0.0.1:${gone}, which is given: connection refused`);
  expect(up.stderr).toContain("unset NATS_URL");
});

test("a port that is named sets the URL of an earlier server aside", async () => {
  const [gone, port] = [await freePort(), await freePort()];
  const env = { NATS_URL: `nats://127.0.0.1:${gone}`, REDIS_URL: inject("redisUrl") };
  const up = await servers(["up", "--nats-port", String(port)], env);
  try {
    expect(up.stdout).toContain(`nats nats://127.0.0.1:${port}: started\n`);
    expect(up.status, up.stderr).toBe(0);
  } finally {
    expect((await servers(["down"], env)).stdout).toBe(`nats nats://127.0.0.1:${port}: ended\n`);
  }
});
