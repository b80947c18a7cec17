import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { connectNats } from "@cim-replay/nats";
import { freePort, type ServerHandle, startNats, startRedis } from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runTool, type ToolResult } from "./run-tool.fixture.ts";

const canary = (where: string) => `canary/${where}+${Math.random().toString(36).slice(2)}`;

const secrets = {
  natsPassword: canary("nats-password"),
  natsToken: canary("nats-token"),
  redisPassword: canary("redis-password"),
  wrongPassword: canary("wrong-password"),
  wrongToken: canary("wrong-token"),
  wrongJwt: canary("wrong-jwt"),
  wrongCreds: canary("wrong-creds"),
  wrongSeed: canary("wrong-seed"),
  contextPassword: canary("context-password"),
  filePassword: canary("file-password"),
  sentinelPassword: canary("sentinel-password"),
};
const AT_ONCE = 4;
const stack = new AsyncDisposableStack();
let folder: string;
let nats: ServerHandle;
let withToken: ServerHandle;
let redis: ServerHandle;
/** What tools said, and what a process list showed meanwhile. */
const outputs = new Map<string, string>();

beforeAll(async () => {
  folder = stack.adopt(mkdtempSync(join(tmpdir(), "cim-replay-canaries-")), (path) =>
    rmSync(path, { recursive: true }),
  );
  const user = `authorization { user: ann, password: ${JSON.stringify(secrets.natsPassword)} }`;
  nats = stack.adopt(await startNats({ config: user }), (each) => each.stop());
  const token = `authorization { token: ${JSON.stringify(secrets.natsToken)} }`;
  withToken = stack.adopt(await startNats({ config: token }), (each) => each.stop());
  const acl = `user bob on >${secrets.redisPassword} ~* &* +@all\n`;
  redis = stack.adopt(await startRedis({ config: acl }), (each) => each.stop());
  for (const name of ["copies", "logs", "backups"]) mkdirSync(join(folder, name));
  for (const url of [natsUrl(nats, "ann", secrets.natsPassword), tokenUrl(withToken, secrets.natsToken)]) {
    const client = await connectNats({ url, name: "test" });
    await client.jsm.streams.add({ name: "EVENTS", subjects: ["events.>"] });
    for (let at = 0; at < 200; at++) {
      const event = { event_id: `e${at}`, aggregate_id: `a${at % 10}`, event_type: "Added", payload: {} };
      const timestamp = "2026-01-01T00:00:00Z";
      await client.js.publish(`events.shop.a${at % 10}.Added`, JSON.stringify({ ...event, timestamp }));
    }
    await client.close();
  }
}, 60_000);
afterAll(() => stack.disposeAsync());

const natsUrl = ({ port }: ServerHandle, user: string, password: string) =>
  `nats://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}`;
const tokenUrl = ({ port }: ServerHandle, token: string) => `nats://${encodeURIComponent(token)}@127.0.0.1:${port}`;
const redisUrl = () => `redis://bob:${encodeURIComponent(secrets.redisPassword)}@127.0.0.1:${redis.port}`;

async function run(tool: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<ToolResult> {
  const all = { HOME: folder, REDIS_URL: redisUrl(), CIM_REPLAY_LOG_LEVEL: "trace", NATS_CONTEXT: "none", ...env };
  const result = await runTool(tool, args, { cwd: folder, env: all });
  const name = `${outputs.size} ${tool} ${args.join(" ")}`;
  outputs.set(name, `${result.stdout}\n${result.stderr}`);
  return result;
}

const job = (...more: string[]) => [
  ...["--domain", "shop", "--certify", "full", "--checkpoint-dir", join(folder, "copies"), "--local-workers", "1"],
  ...["--log-file", join(folder, "logs", "replay.log"), "--checkpoint-interval", "50", ...more],
];

describe("a whole job shows no secret", () => {
  test("with passwords in URLs: replay, metrics, profile, steering, verification, doctor", async () => {
    const env = {
      NATS_URL: natsUrl(nats, "ann", secrets.natsPassword),
      CIM_REPLAY_BACKUP_DIR: join(folder, "backups"),
    };
    const port = String(await freePort());
    const replaying = run("domain-replay", job("--metrics-port", port, "--max-rate", "20"), env);
    await untilMetrics(port);
    outputs.set("metrics", await textAt(`http://127.0.0.1:${port}/metrics`));
    await watchWhile(run("profile-replay", ["--duration", "1s", "--output", join(folder, "profile")], env));
    for (const tool of ["debug-replay", "replay-status", "replay-progress"]) await run(tool, [], env);
    expect((await watchWhile(replaying)).status).toBe(0);
    const file = join(folder, "verified.json");
    for (const [tool, ...args] of [
      ["verify-domain", "--domain", "shop"],
      ["generate-checksums", "--domain", "shop", "--output", file],
      ["verify-checksums", "--domain", "shop", "--expected", file],
      ["replay-list", "--format", "json"],
      ["backup-projections", "--domain", "shop", "--output", join(folder, "backups", "all.tar.gz")],
      ["backup-events", "--stream", "EVENTS", "--output", join(folder, "backups", "events.tar.gz")],
    ] as const) {
      const { status, stderr } = await run(tool, args, env);
      expect(status, stderr).toBe(0);
    }
    await run("cim-replay", ["doctor"], env);
    await run("cim-replay", ["audit-log"], env);
  }, 240_000);

  test("with a token and a password in the environment", async () => {
    const token = { NATS_URL: `nats://127.0.0.1:${withToken.port}`, NATS_TOKEN: secrets.natsToken };
    const replay = job("--metrics-port", "off", "--no-backup-first", "--max-rate", "200");
    expect((await watchWhile(run("domain-replay", replay, token))).status).toBe(0);
    const password = {
      NATS_URL: `nats://127.0.0.1:${nats.port}`,
      NATS_USER: "ann",
      NATS_PASSWORD: secrets.natsPassword,
    };
    expect((await run("verify-domain", ["--domain", "shop"], password)).status).toBe(0);
  }, 120_000);
});

test("a login that is refused, and settings that are none, show no secret", async () => {
  const NATS_URL = `nats://127.0.0.1:${nats.port}`;
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  mkdirSync(join(folder, ".config", "nats", "context"), { recursive: true });
  const context = { url: NATS_URL, user: "ann", password: secrets.contextPassword };
  file(".config/nats/context/mine.json", JSON.stringify(context));
  file(".config/nats/context/broken.json", `${JSON.stringify(context)}}`);
  const creds = `-----BEGIN NATS USER JWT-----\n${secrets.wrongCreds}\n------END NATS USER JWT------\n`;
  const logins: Record<string, string>[] = [
    { NATS_URL: natsUrl(nats, "ann", secrets.wrongPassword) },
    { NATS_URL: `http://ann:${encodeURIComponent(secrets.wrongPassword)}@127.0.0.1:1` },
    { NATS_URL: `nats://ann:${secrets.wrongPassword}@127.0.0.1:${nats.port}` },
    { NATS_URL: tokenUrl(nats, secrets.wrongToken) },
    { NATS_URL, NATS_TOKEN: secrets.wrongToken },
    { NATS_URL, NATS_USER: "ann", NATS_PASSWORD: secrets.wrongPassword },
    { NATS_URL, NATS_USER: "ann", CIM_REPLAY_NATS_PASSWORD_FILE: file("password", secrets.filePassword) },
    { NATS_URL, CIM_REPLAY_NATS_TOKEN_FILE: file("token", secrets.filePassword) },
    { NATS_URL, NATS_CREDS: file("wrong.creds", creds) },
    { NATS_URL, NATS_NKEY: file("wrong.nk", secrets.wrongSeed) },
    { NATS_URL, CIM_REPLAY_NATS_USER_JWT: secrets.wrongJwt },
    { NATS_CONTEXT: "mine" },
    { NATS_CONTEXT: "broken" },
    { CIM_REPLAY_CONFIG: file("torn.yaml", `nats-password: *${secrets.filePassword}\n`) },
    { CIM_REPLAY_CONFIG: file("wrong.yaml", `nats-password: [${JSON.stringify(secrets.filePassword)}]\n`) },
    { NATS_URL, NATS_USER: "ann", NATS_PASSWORD: secrets.natsPassword, REDIS_URL: wrongRedis() },
    { NATS_URL, NATS_USER: "ann", NATS_PASSWORD: secrets.natsPassword, REDIS_URL: `x${wrongRedis()}` },
    {
      NATS_URL,
      NATS_USER: "ann",
      NATS_PASSWORD: secrets.natsPassword,
      CIM_REPLAY_REDIS_SENTINEL: "units",
      CIM_REPLAY_REDIS_SENTINEL_PASSWORD: secrets.sentinelPassword,
    },
    {
      NATS_URL,
      NATS_USER: "ann",
      NATS_PASSWORD: secrets.natsPassword,
      REDIS_URL: `redis://bob:${secrets.wrongPassword}@127.0.0.1:${redis.port}`,
    },
  ];
  const commands = [
    ["domain-replay", "--domain", "shop", "--metrics-port", "off"],
    ["cim-replay", "doctor"],
    ["cim-replay", "worker", "--metrics-port", "off"],
  ] as const;
  const tries = logins.flatMap((login) =>
    (isTriedByAll(login) ? commands : commands.slice(0, 1)).map((command) => ({ login, command })),
  );
  for (let at = 0; at < tries.length; at += AT_ONCE) {
    await Promise.all(
      tries.slice(at, at + AT_ONCE).map(async ({ login, command: [tool, ...args] }) => {
        const { status } = await run(tool, args, login);
        expect(status, JSON.stringify(Object.keys(login))).not.toBe(0);
      }),
    );
  }
}, 300_000);

const isTriedByAll = ({ NATS_URL, REDIS_URL }: Record<string, string>) =>
  (NATS_URL ?? "").startsWith("nats://ann:") || (REDIS_URL ?? "").startsWith("redis://");

test("no output, file, key or record holds a canary", () => {
  const places = new Map<string, Buffer>();
  for (const [name, text] of outputs) places.set(name, Buffer.from(text));
  for (const name of ["copies", "logs", "backups"]) addFiles(places, join(folder, name));
  addFiles(places, join(folder, "profile"));
  places.set("verified.json", readFileSync(join(folder, "verified.json")));
  for (const server of [nats, withToken]) addFiles(places, join(server.dir, "data"));
  addFiles(places, join(redis.dir, "appendonlydir"));
  const total = (words: string) => [...places].filter(([name]) => name.includes(words)).length;
  for (const words of ["replay.log", ".tar.gz", "appendonly", "KV_CIM_REPLAY", "metrics", "process list"]) {
    expect(total(words), words).toBeGreaterThan(0);
  }
  expect(Buffer.concat([...places.values()]).includes("shop")).toBe(true);
  const leaks = [...places].flatMap(([place, bytes]) =>
    Object.entries(secrets).flatMap(([name, secret]) =>
      formsOf(secret).some((form) => bytes.includes(form)) ? [`${name} in ${place}`] : [],
    ),
  );
  expect(leaks).toEqual([]);
});

const wrongRedis = () => `redis://bob:${encodeURIComponent(secrets.wrongPassword)}@127.0.0.1:${redis.port}`;

function formsOf(secret: string): string[] {
  return [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64").replace(/=+$/, "")];
}

function addFiles(places: Map<string, Buffer>, path: string): void {
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const bytes = readFileSync(file);
    places.set(file, file.endsWith(".gz") ? gunzipSync(bytes) : bytes);
  }
}

/** Looks at what every process was started with, for as long as the work goes on. */
async function watchWhile<Result>(work: Promise<Result>): Promise<Result> {
  const ended = work.then(() => true);
  do {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        if (/cim-|node/.test(words)) outputs.set(`process list ${pid} ${words.slice(0, 60)}`, words);
      } catch {
        // It has ended meanwhile.
      }
    }
  } while (!(await Promise.race([ended, sleep(200, false)])));
  return work;
}

async function untilMetrics(port: string): Promise<void> {
  while (
    !/cim_replay_events_applied_total [1-9]/.test(await textAt(`http://127.0.0.1:${port}/metrics`).catch(() => ""))
  ) {
    await sleep(50);
  }
}

const textAt = async (url: string) => (await fetch(url)).text();
