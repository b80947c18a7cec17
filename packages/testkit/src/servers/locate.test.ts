import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "@cim-replay/core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fillCache, RECIPES } from "./cache.ts";
import { locateNats, locateRedis, locateServers } from "./locate.ts";
import { startNats } from "./nats-server.ts";

let dir = "";

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "cim-replay-locate-"));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true, force: true });
});

async function installProgram(name: string, prints: string): Promise<void> {
  await writeFile(join(dir, name), `#!/bin/sh\necho '${prints}'\n`);
  await chmod(join(dir, name), 0o755);
}

test("takes an installed server that is new enough", async () => {
  await installProgram("nats-server", "nats-server: v2.12.3");
  const found = await locateNats({ folders: [dir] });
  expect(found).toMatchObject({ path: join(dir, "nats-server"), origin: "PATH", version: { minor: 12 } });
});

test("passes over an installed server that is too old", async () => {
  await installProgram("redis-server", "Redis server v=5.0.14 sha=00000000:0");
  await installProgram("valkey-server", "Valkey server v=8.1.1 sha=00000000:0");
  expect((await locateRedis({ folders: [dir] })).path).toBe(join(dir, "valkey-server"));
});

test("looks for no program where URLs are given", async () => {
  const urls = { natsUrl: "nats://example:4222", redisUrl: "redis://example:6379" };
  expect(await locateServers({ ...urls, folders: [], cache: dir })).toEqual({
    nats: { url: urls.natsUrl },
    redis: { url: urls.redisUrl },
  });
});

test("names the ways to get a server where there is none and none can be downloaded", async () => {
  vi.stubEnv("PATH", dir);
  const error = await locateNats({ folders: [], cache: dir }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(UsageError);
  for (const way of ["apt-get install nats-server", "nix shell", "docker run", "NATS_URL"])
    expect(String(error)).toContain(way);
});

test("a download that fails says why and leaves nothing behind", async () => {
  const recipe = RECIPES.nats[0];
  if (recipe === undefined) throw new Error("no recipe");
  await expect(fillCache(recipe, dir, "http://127.0.0.1:9/debian")).rejects.toThrow(/^Debian forky: /);
  expect(await readdir(join(dir, "debian", process.arch)).catch(() => [])).toEqual([]);
});

test("the oldest supported NATS can be had and started", async () => {
  const binary = await locateNats({ version: "oldest" });
  expect(binary.version).toMatchObject({ major: 2, minor: 10 });
  const nats = await startNats({ binary });
  await nats.stop();
});
