import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { newUnitRecord } from "@cim-replay/core";
import { connectNats, Ledger, type NatsClient } from "@cim-replay/nats";
import { freePort, planOf, runOf, settingsOf, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { nameOf } from "../support/marked-processes.ts";
import { ReplayProcess } from "../support/replay-process.ts";
import { until } from "../support/until.ts";

const SLOW_PROJECTION = fileURLToPath(new URL("../faults/slow-projection.ts", import.meta.url));
const NOWHERE = { nats: "nats://me:secret@127.0.0.1:1", redis: "redis://:secret@127.0.0.1:1" };

/** Of this file alone, on servers that others use too. */
const stream = uniqueName("COMMANDS");
const whole = uniqueName("whole");
const torn = uniqueName("torn");
const bucket = `TARGET_${stream}`;

let client: NatsClient;
let cwd: string;

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "commands" });
  await client.jsm.streams.add({ name: stream, subjects: [`${stream}.>`] });
  for (const domain of [whole, torn]) await publish(domain, 300);
  await client.js.publish(`${stream}.${torn}.a3.Added`, "\xff not JSON");
  cwd = await mkdtemp(join(tmpdir(), "cim-replay-commands-"));
  const subject = `${stream}.{domain}.{aggregate_id}.{event_type}`;
  const domains = [whole, torn].map((domain) => `  ${domain}: { stream: ${stream}, subject: "${subject}" }\n`);
  const settings = ["metrics-port: off", `queue-prefix: ${stream}`, `target: ${bucket}`, "domains:"];
  await writeFile(join(cwd, "cim-replay.yaml"), `${settings.join("\n")}\n${domains.join("")}`);
});
afterAll(async () => {
  await client.jsm.streams.delete(stream);
  await client.close();
  await rm(cwd, { recursive: true, force: true });
});

function publish(domain: string, events: number) {
  const publishing = Array.from({ length: events }, (_, n) => {
    const timestamp = new Date(1_700_000_000_000 + n * 1000).toISOString();
    const event = { event_id: `e${n}`, aggregate_id: `a${n % 10}`, event_type: "Added", payload: { n }, timestamp };
    return client.js.publish(`${stream}.${domain}.a${n % 10}.Added`, JSON.stringify(event));
  });
  return Promise.all(publishing);
}

function start(tool: string, args: readonly string[], env: Record<string, string> = {}): ReplayProcess {
  const servers = { NATS_URL: inject("natsUrl"), REDIS_URL: inject("redisUrl") };
  const backups = { CIM_REPLAY_BACKUP_DIR: join(cwd, "backups") };
  const { PATH, HOME } = process.env;
  return new ReplayProcess(tool, args, { cwd, env: { PATH, HOME, ...backups, ...servers, ...env } });
}

async function run(tool: string, args: readonly string[], env: Record<string, string> = {}) {
  const started = start(tool, args, env);
  const status = await started.exited;
  return { status, stdout: started.stdout, stderr: started.stderr };
}

/** Waits until a run into this bucket has folded something. */
function unitAtWork(target: string) {
  return until(async () => {
    const ledger = await Ledger.open(client);
    const found = (await ledger?.listRuns())?.find(({ settings }) => settings.target === target);
    return found && (await ledger?.listUnits(found.id))?.find(({ record }) => record.live.applied > 0);
  }, "a unit at work");
}

/** The lines of an error: few, without a stack trace and without a password. Progress may stand before it. */
function expectError(stderr: string): void {
  const at = stderr.search(/^Cannot /m);
  expect(at, stderr).toBeGreaterThanOrEqual(0);
  expect(stderr.slice(at).trimEnd().split("\n").length, stderr).toBeLessThanOrEqual(4);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(stderr).not.toContain("secret");
}

describe("a command that does its work", () => {
  it("exits with 0, with nothing but JSON on stdout and progress on stderr", async () => {
    const replayed = await run("domain-replay", ["--domain", whole, "--format", "json"]);
    expect(replayed.status, replayed.stderr).toBe(0);
    const record = JSON.parse(replayed.stdout);
    expect(record).toMatchObject({ domain: whole, state: "completed", summary: { events: 300, aggregates: 10 } });
    expect(replayed.stderr).toMatch(/300 durable of 300 events/);
    for (const [tool, ...args] of [["replay-status"], ["replay-progress"], ["replay-list"]] as const) {
      const shown = await run(tool, [...args, "--domain", whole, "--format", "json"]);
      expect(shown, tool).toMatchObject({ status: 0, stderr: "" });
      expect(JSON.stringify(JSON.parse(shown.stdout)), tool).toContain(record.run_id);
    }
  });

  it("prints its tables on stdout alone, in plain text", async () => {
    const replayed = await run("domain-replay", ["--domain", whole]);
    expect(replayed.status, replayed.stderr).toBe(0);
    expect(replayed.stdout).toMatch(/^run +\S+ completed\ndomain +whole\S*\nevents +300 in /);
    const listed = await run("replay-list", ["--domain", whole]);
    expect(listed).toMatchObject({ status: 0, stderr: "" });
    expect(listed.stdout).toMatch(/^run +state +domain .*\n\S+ +completed +whole\S* /);
    expect(listed.stdout).not.toContain("\u001b[");
    const planned = await run("domain-replay", ["--domain", whole, "--dry-run"]);
    expect(planned).toMatchObject({ status: 0, stderr: "" });
    expect(planned.stdout).toMatch(/^domain +whole/);
    expect(planned.stdout).toMatch(/^partition +unit +events/m);
    expect(planned.stdout).toMatch(/\nNothing was written\.\n$/);
  });

  it("takes its flags after a leading --, as `nix run .#event-replay -- --flag` may leave one", async () => {
    for (const tool of ["event-replay", "cim-replay"]) {
      const name = tool === "cim-replay" ? ["event-replay"] : [];
      const planned = await run(tool, ["--", ...name, "--domain", whole, "--dry-run", "--format", "json"]);
      expect(planned, tool).toMatchObject({ status: 0, stderr: "" });
      expect(JSON.parse(planned.stdout)).toMatchObject({ domain: whole, expected: { events: 300 } });
    }
  });
});

describe("a command that does not", () => {
  it("exits with 1 on an event that cannot be taken, and names its sequence and what to do", async () => {
    const failed = await run("domain-replay", ["--domain", torn, "--format", "json"]);
    expect(failed.status, failed.stderr).toBe(1);
    expect(JSON.parse(failed.stdout)).toMatchObject({ state: "failed", summary: { quarantined: 1 } });
    expectError(failed.stderr);
    expect(failed.stderr).toMatch(/1 events cannot be taken, the first at sequence 601.*--skip-errors 1/);
    const shown = await run("replay-status", ["--domain", torn, "--show-errors"]);
    expect(shown.stdout).toMatch(/^1 × decode: /m);
    expect(shown.stdout).toMatch(/^ +e\.g\. 601 +COMMANDS\S+\.a3\.Added /m);
  });

  it.each([
    ["an unknown flag", "event-replay", ["--paralel", "3"], "(Did you mean --parallel?)"],
    ["an unknown command", "cim-replay", ["evnt-replay"], "(Did you mean event-replay?)"],
    ["a bad value", "domain-replay", ["--domain", whole, "--batch-size", "many"], "--batch-size"],
    ["an unknown domain's aggregate", "event-replay", ["--aggregate-id", "a1"], "Give --domain"],
    ["no domain", "domain-replay", [], "no domain is named"],
  ])("exits with 2 on %s", async (_, tool, args, message) => {
    const refused = await run(tool, args);
    expect(refused).toMatchObject({ status: 2, stdout: "" });
    expectError(refused.stderr);
    expect(refused.stderr).toContain(message);
  });

  it("exits with 2 on an unknown key of the settings file, and names its line", async () => {
    await writeFile(join(cwd, "wrong.yaml"), "prefetch: 1\nbatchsize: 3\n");
    const refused = await run("replay-list", ["--config", "wrong.yaml"]);
    expect(refused).toMatchObject({ status: 2, stdout: "" });
    expectError(refused.stderr);
    expect(refused.stderr).toContain("wrong.yaml:2 batchsize: no such setting (did you mean batch-size?)");
  });

  it.each([
    ["NATS is away", { NATS_URL: NOWHERE.nats }, /NATS/],
    ["Redis is away", { REDIS_URL: NOWHERE.redis }, /Redis/],
    ["both are away", { NATS_URL: NOWHERE.nats, REDIS_URL: NOWHERE.redis }, /NATS/],
  ])("exits with 3 where %s, and leaves no run", async (_, env, who) => {
    const target = uniqueName("never");
    const refused = await run("domain-replay", ["--domain", whole, "--target", target], env);
    expect(refused).toMatchObject({ status: 3, stdout: "" });
    expectError(refused.stderr);
    expect(refused.stderr).toMatch(who);
    expect((await run("replay-list", ["--domain", whole])).stdout).not.toContain(target);
  });
});

describe("a signal", () => {
  it("finds the command by its name: SIGUSR1 checkpoints, SIGINT exits with 130 and says how to resume", async () => {
    const pace = [
      "--projection",
      SLOW_PROJECTION,
      "--units",
      "1",
      "--batch-size",
      "10",
      "--checkpoint-interval",
      "none",
    ];
    const slowly = { FAULTS_EVENT_MICROS: "20000" };
    const target = uniqueName("slow");
    const replay = start("event-replay", ["--domain", whole, "--target", target, "--format", "json", ...pace], slowly);
    await unitAtWork(target);
    expect(nameOf(replay.pid)).toBe("event-replay");
    replay.kill("SIGUSR1");
    await replay.says(/^Checkpoint of run \S+ is durable: [1-9]\d* of 300 events/m);
    replay.kill("SIGINT");
    expect(await replay.exited, replay.said).toBe(130);
    const { run_id: id, state } = JSON.parse(replay.stdout);
    expect(state).toBe("paused");
    expect(replay.stderr).toMatch(
      /is interrupted; \d+ of 300 events are checkpointed\. Go on with `event-replay --resume`/,
    );
    const resumed = await run("event-replay", ["--resume", "--run", id, "--format", "json"]);
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ run_id: id, state: "completed", summary: { events: 300 } });
  });
});

describe("clear-projections", () => {
  it("deletes a domain's entries, and first gives up a run that somebody left behind", async () => {
    const target = uniqueName("cleared");
    expect((await run("domain-replay", ["--domain", whole, "--target", target])).status).toBe(0);
    const id = uniqueName("left");
    const ledger = await Ledger.open(client);
    const unit = { ...newUnitRecord(id, "u0", 1, 1), state: "running" as const, epoch: 1, owner: "elsewhere" };
    await ledger?.createRun(runOf(id, { settings: settingsOf(stream, { domain: whole, target }) }), planOf(id), [unit]);
    const cleared = await run("clear-projections", [
      "--domain",
      whole,
      "--target",
      target,
      "--yes",
      "--format",
      "json",
    ]);
    expect(cleared.status, cleared.stderr).toBe(0);
    expect(JSON.parse(cleared.stdout)).toEqual({ bucket: target, domain: whole, deleted: 10, kept: 0 });
    expect(cleared.stderr).toBe(
      `Run ${id} has no coordinator any more: it is given up, and its workers are stopped.\n`,
    );
    expect((await ledger?.getRun(id))?.record.state).toBe("failed");
    expect((await ledger?.getUnit(id, "u0"))?.record).toMatchObject({ state: "pending", epoch: 2 });
  });
});

describe("a worker's own metrics", () => {
  it("say what it has done, also when its units have left", async () => {
    const port = await freePort();
    // A queue of its own, so that only this worker takes the run's units.
    const env = { CIM_REPLAY_QUEUE_PREFIX: uniqueName("queue") };
    const worker = start("cim-replay-worker", ["--metrics-port", String(port)], env);
    try {
      await worker.says(/takes units/);
      const replayed = await run("domain-replay", ["--domain", torn, "--skip-errors", "1"], env);
      expect(replayed.status, replayed.stderr).toBe(0);
      const lines = (await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).split("\n");
      expect(lines).toContain("cim_replay_events_applied_total 300");
      expect(lines).toContain("cim_replay_errors_total 1");
      expect(lines).toContain("cim_replay_worker_units 0");
      expect(lines.find((line) => line.startsWith("cim_replay_events_per_second "))).toBeDefined();
    } finally {
      worker.kill("SIGTERM");
      expect(await worker.exited, worker.said).toBe(0);
    }
  });
});
