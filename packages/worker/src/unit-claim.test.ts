import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { moveRun, silentLog, SupersededError } from "@cim-replay/core";
import { connectNats, type Ledger, type NatsClient } from "@cim-replay/nats";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { startRunWith } from "./run.fixture.ts";
import { RunStoppedError, UnitClaim } from "./unit-claim.ts";

let client: NatsClient;

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "test" });
});
afterAll(() => client.close());

type Job = { runId: string; unit: string };

async function take(ledger: Ledger, job: Job, workerId: string): Promise<UnitClaim> {
  const claim = await UnitClaim.take(ledger, job, workerId, silentLog);
  if (!claim) throw new Error("the unit was not to be had");
  return claim;
}

describe("UnitClaim", () => {
  it("takes a pending unit at the next epoch, and gives it back", async () => {
    const { ledger, job } = await startRunWith(client);
    const claim = await take(ledger, job, "w1");
    expect((await ledger.getUnit(job.runId, "u0"))?.record).toMatchObject({ state: "running", epoch: 1, owner: "w1" });
    await claim.end((unit) => ({ ...unit, state: "pending" }));
    claim.stop(new Error("over"));
    expect((await ledger.getUnit(job.runId, "u0"))?.record).toMatchObject({ state: "pending", epoch: 1, owner: null });
    expect((await take(ledger, job, "w2")).record).toMatchObject({ epoch: 2, owner: "w2" });
  });

  it("is given to one of many who ask at once", async () => {
    const { ledger, job } = await startRunWith(client);
    const asked = await Promise.all(["a", "b", "c", "d"].map((id) => UnitClaim.take(ledger, job, id, silentLog)));
    expect(asked.filter((claim) => claim !== null)).toHaveLength(1);
  });

  it("leaves a unit to an owner that lives, and keeps its heart beating", async () => {
    const { ledger, job } = await startRunWith(client);
    const claim = await take(ledger, job, "w1");
    claim.start(() => ({ readSeq: 7, applied: 5 }));
    expect(await UnitClaim.take(ledger, job, "w2", silentLog)).toBeNull();
    const { record } = (await ledger.getUnit(job.runId, "u0")) ?? {};
    expect(record).toMatchObject({ epoch: 1, owner: "w1", live: { readSeq: 7, applied: 5 } });
    expect(record?.heartbeat).toBeGreaterThan(3);
    claim.stop(new Error("over"));
    const { revision } = (await ledger.getUnit(job.runId, "u0")) ?? {};
    await sleep(1_200);
    expect((await ledger.getUnit(job.runId, "u0"))?.revision).toBe(revision);
  });

  it("takes a unit whose owner shows no life, and fences the owner", async () => {
    const { ledger, job } = await startRunWith(client);
    const old = await take(ledger, job, "w1");
    const now = await take(ledger, job, "w2");
    expect(now.record).toMatchObject({ epoch: 2, owner: "w2" });
    await expect(old.update((unit) => ({ ...unit, cursorSeq: 99 }))).rejects.toThrow(SupersededError);
    expect(old.signal.reason).toBeInstanceOf(SupersededError);
    await expect(old.prove()).rejects.toThrow(/epoch 1 is superseded/);
    expect((await ledger.getUnit(job.runId, "u0"))?.record).toMatchObject({ epoch: 2, cursorSeq: 0 });
  });

  it("proves its hold by a write where the last one is long ago", async () => {
    const { ledger, job } = await startRunWith(client);
    const old = await take(ledger, job, "w1");
    await old.prove();
    const fresh = await ledger.getUnit(job.runId, "u0");
    if (!fresh) throw new Error("no unit");
    await ledger.putUnit({ ...fresh.record, epoch: 2, owner: "w2" }, fresh.revision);
    await old.prove();
    await sleep(1_600);
    await expect(old.prove()).rejects.toThrow(SupersededError);
  });

  it("notices by its heartbeat that it was superseded", async () => {
    const { ledger, job } = await startRunWith(client);
    const old = await take(ledger, job, "w1");
    old.start(() => ({}));
    const fresh = await ledger.getUnit(job.runId, "u0");
    if (!fresh) throw new Error("no unit");
    await ledger.putUnit({ ...fresh.record, epoch: 2, owner: "w2" }, fresh.revision);
    await once(old.signal, "abort");
    expect(old.signal.reason).toBeInstanceOf(SupersededError);
  });

  it.each(["paused", "cancelled"] as const)("lets go where the run is %s", async (state) => {
    const { ledger, job } = await startRunWith(client);
    const claim = await take(ledger, job, "w1");
    claim.start(() => ({}));
    await ledger.changeRun(job.runId, (run) => moveRun(run, state));
    await once(claim.signal, "abort");
    expect(claim.signal.reason).toBeInstanceOf(RunStoppedError);
    expect(claim.signal.reason).toMatchObject({ runState: state });
    await claim.end((unit) => ({ ...unit, state: "pending" }));
    expect((await ledger.getUnit(job.runId, "u0"))?.record).toMatchObject({ state: "pending", owner: null });
  });

  it("makes changes one after the other, and loses none", async () => {
    const { ledger, job } = await startRunWith(client);
    const claim = await take(ledger, job, "w1");
    const add = () =>
      claim.update((unit) => ({ ...unit, badSequences: [...unit.badSequences, unit.badSequences.length] }));
    await Promise.all(Array.from({ length: 20 }, add));
    expect((await ledger.getUnit(job.runId, "u0"))?.record.badSequences).toEqual(
      Array.from({ length: 20 }, (_, i) => i),
    );
  });

  it("does not take what is finished, and says so where there is no such unit", async () => {
    for (const state of ["done", "failed"] as const) {
      const { ledger, job } = await startRunWith(client, {}, { state });
      expect(await UnitClaim.take(ledger, job, "w", silentLog)).toBeNull();
      await expect(UnitClaim.take(ledger, { ...job, unit: "u9" }, "w", silentLog)).rejects.toThrow(/take unit u9/);
    }
  });
});
