import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type NatsClient, QuarantineStore, readEntries } from "@cim-replay/nats";
import { uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { type CommandStage, openCommandStage } from "../command-stage.fixture.ts";
import { runTool, type ToolResult } from "../run-tool.fixture.ts";

/** Throws on the payloads that `refused` names. */
const projection = (refused: string) => `export default {
  name: "seen",
  initial: () => ({ seen: [] }),
  evolve(state, event) {
    if (${JSON.stringify(refused)}.includes(event.payload)) throw new Error("cannot take " + event.payload);
    state.seen.push(event.payload);
    return state;
  },
};\n`;

let stage: CommandStage;
let client: NatsClient;
let folder: string;
let target: string;

beforeAll(async () => {
  stage = await openCommandStage({ name: "retry", domains: ["shop"], projectionFile: "seen.ts" });
  ({ client, folder } = stage);
  // Sequences 1 to 9. The aggregates a and b hold one event each that an early projection refuses.
  for (const [id, payload] of ["a1", "b1", "c1", "aX", "bY", "c2", "a2", "b2", "c3"].map((text) => [text[0], text])) {
    const envelope = { aggregate_id: id, event_type: "Added", timestamp: "2026-01-01T00:00:00Z", payload };
    await client.js.publish(`events.shop.${id}.Added`, JSON.stringify(envelope));
  }
});
afterAll(() => stage[Symbol.asyncDispose]());
beforeEach(() => {
  target = uniqueName("RETRY");
  mend("aX bY");
});

/** Puts a projection there that refuses these. */
function mend(refused: string): void {
  writeFileSync(join(folder, "seen.ts"), projection(refused));
}

function run(tool: string, ...args: readonly string[]): Promise<ToolResult> {
  const env = { NATS_URL: stage.natsUrl, REDIS_URL: inject("redisUrl") };
  return runTool(tool, args, { cwd: folder, env });
}

async function replay(...args: readonly string[]): Promise<{ status: number | null; runId: string }> {
  const { status, stdout } = await run(
    "domain-replay",
    "--domain",
    "shop",
    "--target",
    target,
    "--format",
    "json",
    ...args,
  );
  return { status, runId: JSON.parse(stdout).run_id };
}

async function entries() {
  const found: Record<string, { value: string; run: string | undefined; revision: number }> = {};
  for await (const batch of readEntries(client, target, "shop.>")) {
    for (const { key, value, provenance, revision } of batch) {
      found[key] = { value: JSON.parse(Buffer.from(value).toString()).seen.join(), run: provenance?.run, revision };
    }
  }
  return found;
}

async function states(runId: string): Promise<Record<number, string | null>> {
  const { stdout } = await run("quarantine", "list", "--run", runId, "--format", "json");
  const listed: { sequence: number; resolved_by: string | null }[] = JSON.parse(stdout);
  return Object.fromEntries(listed.map(({ sequence, resolved_by: by }) => [sequence, by]));
}

async function retry(...args: readonly string[]) {
  const { status, stdout, stderr } = await run("quarantine", "retry", "--format", "json", ...args);
  return { status, stderr, retried: stdout === "" ? [] : JSON.parse(stdout) };
}

// Each is several processes, one after another.
describe("quarantine retry", { timeout: 180_000 }, () => {
  test("folds what was parked once the projection is mended, certified, and the kept events are resolved", async () => {
    const { status, runId } = await replay();
    expect(status).toBe(1);
    expect(Object.keys(await entries())).toEqual(["shop.c"]);
    mend("");
    const done = await retry("--run", runId, "--certify", "full");
    expect(done).toMatchObject({
      status: 0,
      retried: [
        { aggregate_id: "a", kept_events: 1, reason: null },
        { aggregate_id: "b", kept_events: 1, reason: null },
      ],
    });
    const by = done.retried[0].resolved_by;
    const found = await entries();
    expect(found["shop.a"]).toMatchObject({ value: "a1,aX,a2", run: by });
    expect(found["shop.b"]).toMatchObject({ value: "b1,bY,b2", run: by });
    expect(found["shop.c"]?.run).toBe(runId);
    expect(await states(runId)).toEqual({ 4: by, 5: by });
    expect((await run("quarantine", "list", "--run", runId)).stdout).toContain(`resolved by ${by}`);
    expect(await run("verify-domain", "--domain", "shop", "--target", target)).toMatchObject({ status: 0 });
    expect(await retry("--run", runId)).toMatchObject({ status: 0, retried: [] });
    const resumed = await run("event-replay", "--resume", "--run", runId);
    expect(resumed).toMatchObject({ status: 1, stderr: expect.stringContaining(`cancel-replay --run ${runId}`) });
  });

  test("says what is bad still and changes nothing of it, and does what is mended", async () => {
    const { runId } = await replay();
    const before = await entries();
    const again = await retry("--run", runId);
    expect(again).toMatchObject({ status: 1, retried: [{ reason: "event 4: cannot take aX" }, { resolved_by: null }] });
    expect(await entries()).toEqual(before);
    mend("bY");
    const half = await retry("--run", runId);
    expect(half).toMatchObject({ status: 1, retried: [{ reason: null }, { reason: "event 5: cannot take bY" }] });
    const after = await entries();
    expect(after["shop.a"]?.value).toBe("a1,aX,a2");
    expect({ ...after, "shop.a": undefined }).toEqual({ ...before, "shop.a": undefined });
    expect(await states(runId)).toEqual({ 4: half.retried[0].resolved_by, 5: null });
    const store = await QuarantineStore.open(client, { create: false });
    expect((await store?.places(half.retried[0].resolved_by))?.length).toBe(0);
  });

  test("gives an aggregate back the event that a run had skipped", async () => {
    const { status, runId } = await replay("--skip-errors", "2");
    expect(status).toBe(0);
    expect((await entries())["shop.a"]?.value).toBe("a1,a2");
    mend("");
    expect(await retry("--run", runId)).toMatchObject({ status: 0 });
    expect((await entries())["shop.a"]?.value).toBe("a1,aX,a2");
    // The run that skipped it has pinned the old projection: to verify its entries, the new one must be named.
    const verified = await run("verify-domain", "--domain", "shop", "--target", target, "--projection", "./seen.ts");
    expect(verified).toMatchObject({ status: 0 });
    // What one run put away is not missing from the entries of another that took it.
    const moment = ["--expected-time", "2026-02-01", "--target", target, "--projection", "./seen.ts"];
    expect(await run("validate-system-state", ...moment)).toMatchObject({ status: 0 });
  });

  test("keeps to the end that the run had, and to the one event that is named", async () => {
    const { runId } = await replay("--to-seq", "6");
    mend("");
    const one = await retry("4", "--run", runId);
    expect(one).toMatchObject({ status: 0, retried: [{ aggregate_id: "a" }] });
    expect(await entries()).toMatchObject({ "shop.a": { value: "a1,aX" }, "shop.c": { value: "c1,c2" } });
    expect(await states(runId)).toEqual({ 4: one.retried[0].resolved_by, 5: null });
  });

  test("counts a whole run that took the events as well", async () => {
    const { runId } = await replay();
    await run("cancel-replay", "--run", runId);
    mend("");
    const whole = await replay();
    expect(whole.status).toBe(0);
    expect(await states(runId)).toEqual({ 4: whole.runId, 5: whole.runId });
  });
});
