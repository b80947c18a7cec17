import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EntryWriter, Ledger, type NatsClient, readEntries } from "@cim-replay/nats";
import { uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { type CommandStage, openCommandStage } from "../command-stage.fixture.ts";
import { runTool, type ToolResult } from "../run-tool.fixture.ts";

/** Keeps each event's n: what was folded can be seen in the value. */
const PROJECTION = `export default {
  name: "seen",
  initial: () => ({ seen: [] }),
  evolve(state, event) {
    state.seen.push(event.payload.n);
    return state;
  },
};\n`;

let stage: CommandStage;
let client: NatsClient;
let folder: string;
let target: string;

beforeAll(async () => {
  stage = await openCommandStage({
    name: "selective",
    domains: ["shop", "depot"],
    projectionFile: "seen.ts",
    moreSettings: ["units: 2"],
  });
  ({ client, folder } = stage);
  writeFileSync(join(folder, "seen.ts"), PROJECTION);
  // 40 events of 8 aggregates of shop over four days, one of depot in between, two deleted.
  for (let n = 1; n <= 40; n++) {
    const type = n % 2 === 0 ? "NodeAdded" : n % 3 === 0 ? "node_created" : "Moved";
    await publish(n === 21 ? "depot" : "shop", `a${n % 8}`, type, n, { correlation_id: n % 5 === 0 ? "five" : null });
  }
  for (const seq of [2, 30]) await client.jsm.streams.deleteMessage("EVENTS", seq);
});
afterAll(() => stage[Symbol.asyncDispose]());
beforeEach(() => {
  target = uniqueName("SELECTED");
  rmSync(join(folder, "replay-dry-run.log"), { force: true });
});

function publish(domain: string, id: string, type: string, n: number, fields: object = {}) {
  const timestamp = `2026-01-0${Math.ceil(n / 10)}T00:00:${String(n).padStart(2, "0")}Z`;
  const envelope = { aggregate_id: id, event_type: type, timestamp, payload: { n }, ...fields };
  return client.js.publish(`events.${domain}.${id}.${type}`, JSON.stringify(envelope));
}

function run(tool: string, ...args: readonly string[]): Promise<ToolResult> {
  const env = { NATS_URL: stage.natsUrl, REDIS_URL: inject("redisUrl") };
  return runTool(tool, args, { cwd: folder, env });
}

function select(filter: unknown, ...args: readonly string[]): Promise<ToolResult> {
  writeFileSync(join(folder, "filter.json"), JSON.stringify(filter));
  return run("selective-replay", "--filter", "filter.json", "--target", target, ...args);
}

async function entries(): Promise<Record<string, number[]>> {
  const found: Record<string, number[]> = {};
  for await (const batch of readEntries(client, target, "shop.>")) {
    for (const { key, value } of batch) found[key] = JSON.parse(Buffer.from(value).toString()).seen;
  }
  return found;
}

function countsOf(preview: Record<string, number>) {
  const { events, filtered, deleted, of_other_domains: foreign } = preview;
  return { events, filtered, deleted, foreign };
}

/** What the units of a run have counted, over all of them; of other domains each of them counts all. */
async function executed(runId: string) {
  const ledger = await Ledger.open(client);
  const units = ((await ledger?.listUnits(runId)) ?? []).map(({ record }) => record);
  const sum = (of: "applied" | "filtered") => units.reduce((total, { counts }) => total + counts[of], 0);
  const [first] = units;
  return {
    events: sum("applied"),
    filtered: sum("filtered"),
    deleted: first?.counts.deleted,
    foreign: first?.counts.foreign,
  };
}

const FILTERS = {
  "types, by an alias": { event_types: ["NodeAdded"] },
  "a time range, both ends of it": { time_range: { start: "2026-01-02T00:00:11Z", end: "2026-01-03T00:00:25Z" } },
  aggregates: { aggregate_ids: ["a1", "a3", "nobody"] },
  "subjects with wildcards": { subjects: ["events.*.a2.>", "events.shop.*.Moved"] },
  "ranges of sequences": { sequences: ["5-9", 12, { from: 31, to: 33 }] },
  "correlation ids": { correlation_ids: ["five"] },
  "a condition": { condition: "event.payload.n % 3 == 1 || event.aggregate_id == 'a4'" },
  "all of it": {
    ...{ event_types: ["nodeadded", "Moved"], time_range: { start: "2026-01-02" }, subjects: ["events.shop.>"] },
    ...{ sequences: ["3-38"], condition: "event.payload.n != 20" },
  },
};

// Each is several processes, one after another.
describe("a selective replay", { timeout: 180_000 }, () => {
  test.each(Object.entries(FILTERS))("by %s does what its dry run has counted, and verifies", async (_, criteria) => {
    const filter = { domains: ["shop"], ...criteria };
    const dry = await select(filter, "--dry-run", "--format", "json");
    expect(dry).toMatchObject({ status: 0, stderr: "" });
    const [preview] = JSON.parse(dry.stdout).domains;
    expect(preview.events).toBeGreaterThan(0);
    expect(await client.jsm.streams.info(`KV_${target}`).catch(() => null)).toBeNull();
    const done = await select(filter, "--execute", "--format", "json", "--certify", "full");
    expect(done).toMatchObject({ status: 0 });
    const { run_id: runId, summary } = JSON.parse(done.stdout);
    expect(summary.certificate).toEqual({ level: "full", holds: true, discrepancies: 0 });
    expect(await executed(runId)).toEqual(countsOf(preview));
    const range = preview.to_seq - preview.from_seq + 1;
    expect(preview.delivered + preview.deleted).toBe(range);
    expect(preview.events + preview.filtered + preview.of_other_domains).toBe(preview.delivered);
    const found = await entries();
    expect(Object.keys(found).sort()).toEqual(preview.keys.map(({ key }: { key: string }) => key));
    for (const { key, events } of preview.keys) expect(found[key]).toHaveLength(events);
    const verified = await run("verify-domain", "--domain", "shop", "--target", target, "--level", "counts");
    expect(verified).toMatchObject({ status: 0, stdout: expect.stringContaining(`${runId} (filter `) });
  });

  test("folds exactly the events that the filter names", async () => {
    await select({ domains: ["shop"], aggregate_ids: ["a1"], condition: "event.payload.n > 10" }, "--execute");
    expect(await entries()).toEqual({ "shop.a1": [17, 25, 33] });
  });

  test("is caught by the verifier where an entry holds an event that was filtered, or lacks one that was not", async () => {
    const filter = { domains: ["shop"], event_types: ["Moved"], aggregate_ids: ["a1", "a5", "a7"] };
    expect(await select(filter, "--execute")).toMatchObject({ status: 0 });
    const verify = () => run("verify-domain", "--domain", "shop", "--target", target, "--format", "json");
    expect(await verify()).toMatchObject({ status: 0 });
    const [key, seen] = Object.entries(await entries())[0] ?? ["", []];
    const writer = new EntryWriter(client, target, {});
    const batch = [];
    for await (const found of readEntries(client, target, key)) batch.push(...found);
    const [entry] = batch;
    if (!entry?.provenance) throw new Error("no entry");
    const { hash } = await import("node:crypto");
    const value = Buffer.from(JSON.stringify({ seen: [...seen, 99] }));
    const provenance = { ...entry.provenance, events: seen.length + 1, sha256: hash("sha256", value) };
    await writer.put(key, value, provenance, entry.revision);
    await writer.flush();
    const { status, stdout } = await verify();
    expect(status).toBe(1);
    expect(JSON.parse(stdout).discrepancies.byKind).toMatchObject({ count: 1, value: 1 });
  });

  test("says of aggregates that it left out wholly that they are none of its business", async () => {
    const filter = { domains: ["shop"], event_types: ["NodeAdded"], aggregate_ids: ["a2"] };
    expect(await select(filter, "--execute")).toMatchObject({ status: 0 });
    const aggregate = (id: string) =>
      run("verify-aggregate", "--domain", "shop", "--aggregate-id", id, "--target", target);
    expect(await aggregate("a2")).toMatchObject({ status: 0 });
    const { stdout, stderr } = await aggregate("a1");
    expect(stdout + stderr).not.toContain("there is no entry");
    const system = await run("validate-system-state", "--expected-time", "2026-02-01", "--target", target);
    expect(system.status).toBe(1);
    expect(system.stdout + system.stderr).toContain("selection");
  });

  test("of several domains is a run of each", async () => {
    const filter = { time_range: { start: "2026-01-03", end: "2026-01-03T00:00:24Z" } };
    const { status, stdout } = await select(filter, "--execute");
    expect(status).toBe(0);
    expect(stdout.match(/completed/g)?.length).toBeGreaterThanOrEqual(2);
    const ledger = await Ledger.open(client);
    const runs = ((await ledger?.listRuns()) ?? []).filter(({ settings }) => settings.target === target);
    expect(runs.map(({ settings }) => settings.domain).sort()).toEqual(["depot", "shop"]);
    expect(new Set(runs.map(({ settings }) => settings.filter?.sha256)).size).toBe(1);
  });

  test("by the server's receipt takes a part of the stream", async () => {
    const filter = { domains: ["shop"], time_range: { end: new Date().toISOString() } };
    const dry = await select(filter, "--dry-run", "--format", "json", "--time-basis", "server");
    expect(JSON.parse(dry.stdout).domains[0]).toMatchObject({ events: 37, filtered: 0 });
    expect(await select(filter, "--execute", "--time-basis", "server")).toMatchObject({ status: 0 });
    expect(Object.values(await entries()).flat()).toHaveLength(37);
  });
});

describe("the dry run", () => {
  test("names every key in its log, a bounded part of them on the terminal, and leaves the servers as they were", async () => {
    const before = (await client.jsm.streams.names().next()).sort();
    const { status, stdout } = await select({ domains: ["shop", "depot"], event_types: ["NodeAdded"] }, "--dry-run");
    expect(status).toBe(0);
    const log = join(folder, "replay-dry-run.log");
    expect(stdout).toContain(log);
    expect(readFileSync(log, "utf8")).toMatch(/^shop\.a0 +\d+ +5$/m);
    expect(readFileSync(log, "utf8")).toContain("2026-01-02");
    expect((await client.jsm.streams.names().next()).sort()).toEqual(before);
  });
});

describe("is refused", { timeout: 180_000 }, () => {
  const filter = { domains: ["shop"], event_types: ["NodeAdded"] };

  test("without one of --dry-run and --execute", async () => {
    expect(await select(filter)).toMatchObject({ status: 2, stdout: "" });
    expect(await select(filter, "--dry-run", "--execute")).toMatchObject({ status: 2, stdout: "" });
    expect(await run("selective-replay", "--execute")).toMatchObject({ status: 2, stdout: "" });
    expect(existsSync(join(folder, "replay-dry-run.log"))).toBe(false);
  });

  test("where a mistyped domain is among those it names, before any of them is replayed", async () => {
    const { status, stderr } = await select({ domains: ["shop", "shpo"] }, "--execute");
    expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining("shpo") });
    expect(await client.jsm.streams.info(`KV_${target}`).catch(() => null)).toBeNull();
  });

  test("into the bucket that services read, where it leaves out events of an aggregate, but for --force", async () => {
    writeFileSync(join(folder, "filter.json"), JSON.stringify(filter));
    const replay = (...args: string[]) => run("selective-replay", "--filter", "filter.json", ...args);
    for (const to of ["projection", "CIM_PROJECTIONS"]) {
      const refused = await replay("--target", to, "--execute");
      expect(refused).toMatchObject({ status: 2, stdout: "" });
      expect(refused.stderr).toContain("--force");
    }
    expect(await replay("--dry-run")).toMatchObject({ status: 0, stderr: expect.stringContaining("--force") });
    expect(await replay("--execute", "--force")).toMatchObject({ status: 0 });
    writeFileSync(join(folder, "filter.json"), JSON.stringify({ domains: ["shop"], aggregate_ids: ["a1"] }));
    expect(await replay("--execute")).toMatchObject({ status: 0 });
  });
});
