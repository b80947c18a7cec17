import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "@cim-replay/core";
import { describe, expect, test } from "vitest";
import { loadSettings, type SettingSources } from "./load.ts";

function folderWith(yaml: string, name = "cim-replay.yaml"): string {
  const folder = mkdtempSync(join(tmpdir(), "cim-replay-settings-"));
  writeFileSync(join(folder, name), yaml);
  return folder;
}

function load(sources: Partial<SettingSources> & { cwd: string }) {
  return loadSettings({ flags: {}, env: {}, helpCommand: "event-replay --help", ...sources });
}

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    if (error instanceof UsageError) return error.message;
  }
  throw new Error("nothing was thrown");
}

describe("settings", () => {
  test("come from defaults where nobody says otherwise", () => {
    const { settings, domains, isGiven } = load({ cwd: mkdtempSync(join(tmpdir(), "cim-replay-settings-")) });
    expect(settings).toMatchObject({
      natsUrl: "nats://127.0.0.1:4222",
      batchSize: 1000,
      memoryLimit: null,
      metricsPort: 9091,
    });
    expect(domains.size).toBe(0);
    expect(isGiven("metricsPort")).toBe(false);
  });

  test("come from the file, then the environment, then flags, the later before the earlier", () => {
    const cwd = folderWith("batch-size: 10\nprefetch: 20\nbuffer-size: 30\nmetrics-port: 9091\n");
    const env = { CIM_REPLAY_PREFETCH: "21", CIM_REPLAY_BUFFER_SIZE: "31" };
    const { settings, fromFlags, isGiven } = load({ cwd, env, flags: { bufferSize: "32" } });
    expect(settings).toMatchObject({ batchSize: 10, prefetch: 21, bufferSize: 32 });
    expect(fromFlags).toEqual({ bufferSize: 32 });
    expect(isGiven("metricsPort")).toBe(true);
  });

  test("read sizes, durations, none and auto in every layer", () => {
    const cwd = folderWith("memory-limit: 8G\nlock-duration: 10s\ncheckpoint-interval: none\nlocal-workers: auto\n");
    const { settings } = load({ cwd, env: { CIM_REPLAY_GC_INTERVAL: "50_000" }, flags: { metricsPort: "off" } });
    expect(settings).toMatchObject({
      memoryLimit: 8 * 2 ** 30,
      lockDuration: 10_000,
      checkpointInterval: null,
      localWorkers: "auto",
      gcInterval: 50_000,
      metricsPort: "off",
    });
  });

  test("read the file that --config or CIM_REPLAY_CONFIG names", () => {
    const cwd = folderWith("batch-size: 7\n", "other.yaml");
    expect(load({ cwd, flags: { config: "other.yaml" } }).settings.batchSize).toBe(7);
    expect(load({ cwd, env: { CIM_REPLAY_CONFIG: "other.yaml" } }).settings.batchSize).toBe(7);
    expect(messageOf(() => load({ cwd, flags: { config: "none.yaml" } }))).toContain("none.yaml: cannot be read");
  });

  test("describe domains, whose projection files lie beside the settings file", () => {
    const cwd = folderWith(
      'domains:\n  workflow:\n    stream: HELPDESK\n    subject: "helpdesk.{event_type}"\n    envelope: auto\n    projection: ./helpdesk.ts\n  graph:\n    projection: graph\n',
    );
    const { domains } = load({ cwd });
    expect(domains.get("workflow")).toEqual({
      stream: "HELPDESK",
      subject: "helpdesk.{event_type}",
      envelope: "auto",
      projection: join(cwd, "helpdesk.ts"),
    });
    expect(domains.get("graph")?.projection).toBe("graph");
  });

  test("tell all mistakes of all layers at once, those of the file by line", () => {
    const cwd = folderWith(
      "batch-size: 0\nprefech: 5\ndomains:\n  graph:\n    stream: S\n    envelop: flat\n    envelope: round\n",
    );
    const message = messageOf(() =>
      load({ cwd, env: { CIM_REPLAY_PREFETCH: "many" }, flags: { parallel: "x", metricsPort: "99999" } }),
    );
    expect(message.split("\n")[0]).toContain("7 mistakes");
    expect(message).toContain("cim-replay.yaml:1 batch-size: 0 is not a whole number from 1 on.");
    expect(message).toContain("cim-replay.yaml:2 prefech: no such setting (did you mean prefetch?).");
    expect(message).toContain("cim-replay.yaml:6 domains.graph.envelop: no such setting (did you mean envelope?).");
    expect(message).toMatch(/cim-replay\.yaml:7 domains\.graph\.envelope: not one of flat, .*auto\./);
    expect(message).toContain('CIM_REPLAY_PREFETCH: "many" is not a whole number from 1 on.');
    expect(message).toContain('--parallel: "x" is not a whole number from 1 on.');
    expect(message).toContain('--metrics-port: "99999" is not a port (0 to 65535) or off.');
  });

  test("tell one mistake in one line", () => {
    const cwd = folderWith("");
    const message = messageOf(() => load({ cwd, flags: { memoryLimit: "8Q" } }));
    expect(message).toMatch(/^Cannot use --memory-limit: "8Q": it is no size\. .*See `event-replay --help`\.$/);
  });

  test("refuse a limit that a worker passes before it has read anything, before anything is begun", () => {
    const cwd = folderWith("");
    const message = messageOf(() => load({ cwd, flags: { memoryLimit: "10M" } }));
    expect(message).toMatch(
      /^Cannot use --memory-limit: "10M" is less than a worker takes that does nothing: 128M is the least/,
    );
    expect(load({ cwd, flags: { memoryLimit: "128M" } }).settings.memoryLimit).toBe(128 * 2 ** 20);
  });

  test("tell where a file is no YAML, or has a key twice", () => {
    expect(messageOf(() => load({ cwd: folderWith("batch-size: 1\nprefetch: [1\n") }))).toMatch(/cim-replay\.yaml:\d/);
    expect(messageOf(() => load({ cwd: folderWith("batch-size: 1\nbatch-size: 2\n") }))).toContain("cim-replay.yaml:2");
  });

  test("refuse a subject template that cannot be, by its line", () => {
    const cwd = folderWith('domains:\n  graph:\n    subject: "a..b"\n');
    expect(messageOf(() => load({ cwd }))).toContain("cim-replay.yaml:3 domains.graph.subject");
  });

  test("never repeat a URL, which may hold a password", () => {
    const message = messageOf(() => load({ cwd: folderWith(""), env: { NATS_URL: "http://me:secret@host" } }));
    expect(message).toContain("NATS_URL");
    expect(message).not.toContain("secret");
  });
});

test.each([
  ["a list", 'nats-password: ["hunter2"]'],
  ["an alias that nothing is named", "nats-password: *hunter2"],
  ["a map", "nats-token: {hunter2: 1}"],
  ["a URL of something else", "redis-url: http://hunter2@host"],
])("%s where a text should be is not repeated: it may be a password", (_, yaml) => {
  const message = messageOf(() => load({ cwd: folderWith(`${yaml}\n`) }));
  expect(message).toContain("cim-replay.yaml");
  expect(message).not.toContain("hunter2");
});
