import { newUnitRecord, type RunState, silentLog } from "@cim-replay/core";
import { connectNats, type Ledger, type NatsClient } from "@cim-replay/nats";
import { planOf, runOf, settingsOf, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { acquireQuietTarget, acquireTarget } from "./give-up.ts";
import { commandHolder } from "./lease-keeper.ts";
import { openLedger } from "./run.fixture.ts";

let client: NatsClient;
let ledger: Ledger;
let domain: string;
const target = "T";

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "test" });
  ledger = await openLedger(client);
});
afterAll(() => client.close());
beforeEach(() => {
  domain = uniqueName("domain");
});

/** A run whose coordinator is gone while a worker elsewhere is at its unit. */
async function abandonedRun(state: RunState, of = target): Promise<string> {
  const id = uniqueName("run");
  const unit = { ...newUnitRecord(id, "u0", 1, 1), state: "running" as const, epoch: 3, owner: "elsewhere-w1" };
  await ledger.createRun(runOf(id, { state, settings: settingsOf(id, { domain, target: of }) }), planOf(id), [unit]);
  return id;
}

const ctx = () => ({ ledger, log: silentLog });
const clearing = () => acquireQuietTarget(ctx(), { domain, target, runId: commandHolder("clear-projections") });
const unitOf = async (id: string) => (await ledger.getUnit(id, "u0"))?.record;

describe("acquireQuietTarget", () => {
  it("gives up the run of a coordinator that died with its lease, fences its workers and awaits their last writes", async () => {
    const id = await abandonedRun("running");
    const dead = { version: 1 as const, runId: id, coordinatorId: "elsewhere/1/x", renewal: 3, ttlMs: 600 };
    await ledger.takeLease(domain, target, dead, null);
    const startedAt = performance.now();
    const { lease, givenUp } = await clearing();
    expect(performance.now() - startedAt).toBeGreaterThan(2_500);
    expect(givenUp).toEqual([id]);
    const run = (await ledger.getRun(id))?.record;
    expect(run).toMatchObject({
      state: "failed",
      reason: "Its coordinator is gone, and clear-projections took over its domain and target.",
    });
    expect(await unitOf(id)).toMatchObject({ state: "pending", epoch: 4, owner: null });
    await lease.release();
  });

  it.each(["running", "verifying"] as const)("gives up a run left %s without any lease", async (state) => {
    const id = await abandonedRun(state);
    const { lease, givenUp } = await clearing();
    expect(givenUp).toEqual([id]);
    expect(await unitOf(id)).toMatchObject({ state: "pending", epoch: 4 });
    await lease.release();
  });

  it("has nothing to give up where the coordinator died after its run was completed", async () => {
    const id = await abandonedRun("completed");
    const dead = { version: 1 as const, runId: id, coordinatorId: "elsewhere/1/x", renewal: 3, ttlMs: 600 };
    await ledger.takeLease(domain, target, dead, null);
    const { lease, givenUp } = await clearing();
    expect(givenUp).toEqual([]);
    expect((await ledger.getRun(id))?.record.state).toBe("completed");
    await lease.release();
  });

  it("leaves paused runs and those of other targets alone, and waits for nobody", async () => {
    const paused = await abandonedRun("paused");
    const elsewhere = await abandonedRun("running", "OTHER");
    const startedAt = performance.now();
    const { lease, givenUp } = await clearing();
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(givenUp).toEqual([]);
    expect((await ledger.getRun(paused))?.record.state).toBe("paused");
    expect(await unitOf(elsewhere)).toMatchObject({ state: "running", epoch: 3 });
    await lease.release();
  });
});

describe("a lease that a command holds", () => {
  it("is named by the command, and not as a run", async () => {
    const { lease } = await clearing();
    const refusal = acquireTarget(ctx(), { domain, target, runId: "20260131-120000-abc123" });
    await expect(refusal).rejects.toThrow(
      /^Cannot start: clear-projections is at work on domain\S* in T \(.*\)\. Try again when it has ended\.$/,
    );
    await lease.release();
  });

  it("refuses a run's target as the run would be refused, naming the run", async () => {
    const run = await acquireTarget(ctx(), { domain, target, runId: "20260131-120000-abc123" });
    await expect(clearing()).rejects.toThrow(/run 20260131-120000-abc123 is rebuilding domain/);
    await run.release();
  });
});
