import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runTool } from "../run-tool.fixture.ts";
import { workerEnvironment } from "../workers/worker-process.ts";
import { loadSettings } from "./load.ts";

const CANARY = "canary-5ecret";
const home = mkdtempSync(join(tmpdir(), "cim-replay-context-"));
mkdirSync(join(home, ".config", "nats", "context"), { recursive: true });

function context(name: string, content: object | string): void {
  const text = typeof content === "string" ? content : JSON.stringify(content);
  writeFileSync(join(home, ".config", "nats", "context", `${name}.json`), text);
}

context("one", {
  url: "nats://one:1",
  user: "ann",
  password: CANARY,
  ca: "~/ca.pem",
  tls_first: true,
  description: "x",
});
context("two", { url: "nats://127.0.0.1:1", token: CANARY });
context("leaf", { url: "nats://leaf:1", jetstream_domain: "hub", inbox_prefix: "_INBOX_leaf" });
context("torn", `{ "password": "${CANARY}`);
writeFileSync(join(home, ".config", "nats", "context.txt"), "one\n");

function load(env: Record<string, string> = {}, flags: Record<string, unknown> = {}) {
  return loadSettings({ flags, env: { HOME: home, ...env }, cwd: home, helpCommand: "x --help" }).settings;
}

test("the selected context stands above the defaults, a named one before it, and settings above both", () => {
  expect(load()).toMatchObject({ natsUrl: "nats://one:1", natsUser: "ann", natsPassword: CANARY, natsTlsFirst: true });
  expect(load().natsCa).toBe(join(home, "ca.pem"));
  expect(load({ NATS_CONTEXT: "two" })).toMatchObject({ natsUrl: "nats://127.0.0.1:1", natsUser: null });
  expect(load({ NATS_CONTEXT: "two" }, { context: "one" }).natsUrl).toBe("nats://one:1");
  expect(load({ NATS_CONTEXT: "one", NATS_URL: "nats://other:1" })).toMatchObject({
    natsUrl: "nats://other:1",
    natsUser: "ann",
  });
  expect(load({ XDG_CONFIG_HOME: "/nowhere" }).natsUrl).toBe("nats://127.0.0.1:4222");
});

test("credentials of the selected context go to no server that was named otherwise", () => {
  expect(load({ NATS_URL: "nats://other:1" })).toMatchObject({ natsUser: null, natsPassword: null });
  expect(load({ NATS_CONTEXT: "none" }).natsUrl).toBe("nats://127.0.0.1:4222");
});

test("a context says which JetStream is meant, and where answers come to", () => {
  expect(load({ NATS_CONTEXT: "leaf" })).toMatchObject({
    ...{ natsJetstreamDomain: "hub", natsJetstreamApiPrefix: null, natsInboxPrefix: "_INBOX_leaf" },
  });
});

test("a context's password goes with no other user", () => {
  expect(load({ NATS_USER: "bob" })).toMatchObject({ natsUser: "bob", natsPassword: null });
  expect(load({ NATS_CONTEXT: "two", NATS_CREDS: "/x.creds" }).natsToken).toBeNull();
});

test("workers get the same connection from their environment alone", () => {
  const settings = load();
  const env = { ...workerEnvironment(settings), HOME: home };
  const same = (from: typeof settings) => Object.entries(from).filter(([name]) => name.startsWith("nats"));
  expect(same(loadSettings({ flags: {}, env, cwd: home, helpCommand: "x" }).settings)).toEqual(same(settings));
});

test.each([
  ["none-such", "NATS context none-such: cannot be read"],
  ["../one", "NATS context ../one: there can be no such context"],
  ["torn", "NATS context torn: cannot be read (it is no JSON)"],
])("the context %s is refused with what is wrong, and no secret", (name, message) => {
  expect(() => load({ NATS_CONTEXT: name })).toThrow(message);
  expect(() => load({ NATS_CONTEXT: name })).not.toThrow(CANARY);
});

test("no output of a command holds a context's secret", async () => {
  const args = ["--context", "two", "--log-level", "trace"];
  const result = await runTool("replay-list", args, { cwd: home, env: { HOME: home } });
  expect(result.status).toBe(3);
  expect(result.stderr).toContain("nats://127.0.0.1:1");
  expect(result.stdout + result.stderr).not.toContain(CANARY);
});
