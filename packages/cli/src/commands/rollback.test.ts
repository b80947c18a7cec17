import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openArchive } from "@cim-replay/archive";
import { Ledger, type NatsClient, readEntries } from "@cim-replay/nats";
import { uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { type CommandStage, openCommandStage } from "../command-stage.fixture.ts";
import { runTool, type ToolResult } from "../run-tool.fixture.ts";

const PROJECTION = `export default {
  name: "sums",
  initial: () => ({ sum: 0 }),
  evolve(state, event) {
    state.sum += event.payload.n;
    return state;
  },
};\n`;

// Each test starts a dozen commands, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 180_000 });

let stage: CommandStage;
let client: NatsClient;
let folder: string;
let target: string;

beforeAll(async () => {
  stage = await openCommandStage({ name: "rollback", domains: ["shop", "depot"], projectionFile: "sums.ts" });
  ({ client, folder } = stage);
  writeFileSync(join(folder, "sums.ts"), PROJECTION);
});
afterAll(() => stage[Symbol.asyncDispose]());
beforeEach(async () => {
  await client.jsm.streams.purge("EVENTS");
  await publish("shop", "a", 1);
  await publish("shop", "b", 10);
  await publish("depot", "d", 100);
  target = uniqueName("ROLLBACK");
});

function publish(domain: string, id: string, n: number) {
  const envelope = { aggregate_id: id, event_type: "Added", timestamp: "2026-01-01T00:00:00Z", payload: { n } };
  return client.js.publish(`events.${domain}.${id}.Added`, JSON.stringify(envelope));
}

function run(tool: string, ...args: readonly string[]): Promise<ToolResult> {
  const env = { NATS_URL: stage.natsUrl, REDIS_URL: inject("redisUrl") };
  return runTool(tool, args, { cwd: folder, env });
}

const replay = (...args: readonly string[]) => run("domain-replay", "--domain", "shop", "--target", target, ...args);

/** A command as it was printed. */
function runPrinted(line: string | undefined): Promise<ToolResult> {
  const [tool = "", ...args] = (line ?? "").split(" ");
  return run(tool, ...args);
}

async function sums(): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for await (const batch of readEntries(client, target, ">")) {
    for (const { key, value } of batch) found[key] = JSON.parse(Buffer.from(value).toString("utf8")).sum;
  }
  return found;
}

async function recorded(command: string): Promise<Record<string, unknown>[]> {
  const { stdout } = await run("audit-log", "--format", "json");
  const records: { command: string; target: string }[] = JSON.parse(stdout);
  return records.filter((record) => record.command === command && record.target === target);
}

const runsHere = async () =>
  (await (await Ledger.open(client))?.listRuns())?.filter((r) => r.settings.target === target);

describe("a replay of a whole domain in place", () => {
  test("keeps first what was there; the printed command brings it back, verified and in the audit log", async () => {
    const first = await replay("--format", "json");
    expect(first, first.stderr).toMatchObject({ status: 0 });
    expect(JSON.parse(first.stdout).backup).toEqual({
      ...{ file: null, note: "the target held no entry of it", rollback: null },
    });
    await publish("shop", "a", 5);
    await publish("shop", "c", 7);
    const second = await replay();
    expect(second, second.stderr).toMatchObject({ status: 0 });
    expect(await sums()).toEqual({ "shop.a": 6, "shop.b": 10, "shop.c": 7 });
    const undo = /^Undo it: (restore-projections --backup (\S+) --target \S+)$/m.exec(second.stdout);
    const back = await runPrinted(undo?.[1]);
    expect(back, back.stderr).toMatchObject({ status: 0 });
    expect(await sums()).toEqual({ "shop.a": 1, "shop.b": 10 });
    const verified = await run("verify-domain", "--domain", "shop", "--target", target);
    expect(verified, verified.stdout).toMatchObject({ status: 0 });
    expect(await recorded("restore-projections")).toMatchObject([
      { step: "started", domain: "shop", parameters: { backup: undo?.[2], entries: 2 } },
      { step: "ended", outcome: "2 written, 0 unchanged, 1 removed, 2 read back", parameters: { done: true } },
    ]);
    // What was restored is still held to the events.
    await client.js.publish(`$KV.${target}.shop.b`, '{"sum":11}');
    expect((await run("verify-domain", "--domain", "shop", "--target", target)).status).toBe(1);
  });

  test("is not begun where nothing can be kept, and is where nothing is to be kept", async () => {
    expect((await replay()).status).toBe(0);
    const inTheWay = join(folder, "in-the-way");
    writeFileSync(inTheWay, "");
    const refused = await replay("--backup-dir", inTheWay);
    expect(refused).toMatchObject({ status: 1, stdout: "" });
    expect(refused.stderr).toContain("Name another with --backup-dir. Nothing was begun");
    expect(await runsHere()).toHaveLength(1);
    const done = await replay("--backup-dir", inTheWay, "--no-backup-first", "--format", "json");
    expect(done, done.stderr).toMatchObject({ status: 0 });
    expect(JSON.parse(done.stdout).backup).toMatchObject({ file: null, note: "none was asked for" });
  });

  test("lets old backups of the same entries go, and no others", async () => {
    const kept = join(folder, uniqueName("kept"));
    const into = ["--backup-dir", kept, "--backup-keep", "1"];
    expect((await replay(...into)).status).toBe(0);
    expect(existsSync(kept)).toBe(false);
    expect((await replay(...into)).status).toBe(0);
    const [oldest = ""] = readdirSync(kept);
    writeFileSync(join(kept, `${target}.shop.mine.tar.gz`), "");
    writeFileSync(join(kept, oldest.replace("shop", "shop2")), "");
    const again = await replay(...into);
    expect(again.stderr).toContain(`Old backups were deleted from ${kept}: ${oldest}.`);
    const left = readdirSync(kept);
    expect(left).toHaveLength(3);
    expect(left).not.toContain(oldest);
    expect(left).toContain(`${target}.shop.mine.tar.gz`);
  });

  test("of one aggregate alone, an archive is made on request, of that aggregate", async () => {
    expect((await replay()).status).toBe(0);
    const one = (...args: readonly string[]) =>
      run("event-replay", "--domain", "shop", "--aggregate-id", "a", "--target", target, "--format", "json", ...args);
    expect(JSON.parse((await one()).stdout).backup).toMatchObject({ note: "one aggregate is replayed alone" });
    await publish("shop", "a", 5);
    const { backup } = JSON.parse((await one("--backup-first")).stdout);
    await using archive = await openArchive(backup.file);
    expect(archive.manifest).toMatchObject({ kind: "aggregate", aggregate_id: "a", entries: 1 });
    expect(await sums()).toEqual({ "shop.a": 6, "shop.b": 10 });
    expect((await runPrinted(backup.rollback)).status).toBe(0);
    expect(await sums()).toEqual({ "shop.a": 1, "shop.b": 10 });
    const verified = await run("verify-domain", "--domain", "shop", "--target", target);
    expect(verified, verified.stdout).toMatchObject({ status: 0 });
  });
});

describe("checkpoints", () => {
  test("are made, listed, gone back to and deleted by name, and recorded", async () => {
    for (const domain of ["shop", "depot"]) {
      expect((await run("domain-replay", "--domain", domain, "--target", target)).status).toBe(0);
    }
    const name = uniqueName("by-hand");
    const made = await run("create-checkpoint", "--name", name, "--target", target);
    expect(made, made.stderr).toMatchObject({ status: 0, stderr: "" });
    expect(made.stdout).toContain(`Go back to it: restore-checkpoint --name ${name} --target ${target}`);
    expect(await run("create-checkpoint", "--name", name, "--target", target)).toMatchObject({ status: 2, stdout: "" });
    const listed = await run("list-checkpoints");
    expect(listed.stdout).toMatch(new RegExp(`^${name} .* ${target} +depot,shop +3 .* EVENTS \\d+ +by hand$`, "m"));

    await client.js.publish(`$KV.${target}.shop.a`, "damaged");
    await client.js.publish(`$KV.${target}.shop.extra`, "{}");
    const back = ["--name", name, "--target", target];
    const dry = await run("restore-checkpoint", ...back, "--dry-run");
    expect(dry.stdout).toMatch(/would write +1\nunchanged +2\nwould remove +1\n/);
    expect(await run("restore-checkpoint", ...back)).toMatchObject({ status: 2, stdout: "" });
    expect(await run("restore-checkpoint", "--name", name, "--yes")).toMatchObject({ status: 2, stdout: "" });
    expect((await run("restore-checkpoint", ...back, "--yes")).status).toBe(0);
    expect(await sums()).toEqual({ "shop.a": 1, "shop.b": 10, "depot.d": 100 });
    const system = await run("verify-system-state", "--target", target);
    expect(system, system.stdout).toMatchObject({ status: 0 });
    expect(await recorded("restore-checkpoint")).toMatchObject([
      { step: "started", domain: "depot", parameters: { checkpoint: name } },
      { step: "started", domain: "shop" },
      { step: "ended", domain: "depot", parameters: { done: true } },
      { step: "ended", domain: "shop" },
    ]);
    const unsure = await run("delete-checkpoint", "--name", name);
    expect(unsure).toMatchObject({ status: 2, stdout: "" });
    expect(unsure.stderr).toContain("Give --yes.");
    expect((await run("list-checkpoints")).stdout).toContain(name);
    expect((await run("delete-checkpoint", "--name", name, "--yes")).status).toBe(0);
    const gone = await run("delete-checkpoint", "--name", name, "--yes");
    expect(gone).toMatchObject({ status: 2, stdout: "" });
    expect(gone.stderr).not.toContain("Give --yes.");
    expect(await recorded("delete-checkpoint")).toHaveLength(2);
  });

  test("are made by a replay to a moment in place, which says how to go back", async () => {
    const at = ["--target-time", "2026-01-02T00:00:00Z", "--target-seq", "1"];
    const moment = async () => {
      const { last_seq: last } = (await client.jsm.streams.info("EVENTS")).state;
      return [...at.slice(0, 3), String(last - 1)];
    };
    for (const domain of ["shop", "depot"]) {
      expect((await run("domain-replay", "--domain", domain, "--target", target)).status).toBe(0);
    }
    await publish("shop", "a", 5);
    const to = await moment();
    const empty = await run("point-in-time-replay", ...to, "--target", uniqueName("EMPTY"), "--format", "json");
    expect(JSON.parse(empty.stdout).before).toEqual({
      checkpoint: null,
      note: "the target held no entry",
      restore: null,
    });
    await client.js.publish(`$KV.${target}.shop.mine`, '{"sum":3}');
    const before = await sums();
    const done = await run("point-in-time-replay", ...to, "--target", target);
    expect(done, done.stderr).toMatchObject({ status: 0 });
    expect(await sums()).toEqual({ "shop.a": 1, "shop.b": 10, "depot.d": 100 });
    const undo = /^Go back to what it held before: (.*)$/m.exec(done.stdout);
    expect(undo?.[1]).toMatch(/^restore-checkpoint --name before-point-in-time-replay-\S+ --target \S+ --yes$/);
    expect((await runPrinted(undo?.[1])).status).toBe(0);
    expect(await sums()).toEqual(before);
  });
});
