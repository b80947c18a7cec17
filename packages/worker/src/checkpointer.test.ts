import { emptyCounts, silentLog } from "@cim-replay/core";
import { CheckpointStore, connectNats, type NatsClient } from "@cim-replay/nats";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { AggregateTable } from "./aggregate-table.ts";
import { Checkpointer, type Restored, restoreCheckpoints } from "./checkpointer.ts";
import { startRunWith } from "./run.fixture.ts";
import { UnitClaim } from "./unit-claim.ts";

let client: NatsClient;
let store: CheckpointStore;

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "test" });
  store = await CheckpointStore.open(client, { create: true });
});
afterAll(() => client.close());

const meta = (applied: number) => ({
  counts: { ...emptyCounts(), delivered: applied, applied },
  deliveredBySlice: [applied],
  deliveredByPartition: [applied],
  firstParkedSeq: null,
  parkedAggregates: 0,
  content: [],
});

async function open(maxBytes = 100_000) {
  const { ledger, job } = await startRunWith(client);
  const claim = await UnitClaim.take(ledger, job, "w1", silentLog);
  if (!claim) throw new Error("no claim");
  const table = new AggregateTable("graph");
  const record = async () => {
    const unit = await ledger.getUnit(job.runId, job.unit);
    if (!unit) throw new Error("no unit");
    return unit.record;
  };
  return {
    ledger,
    job,
    claim,
    table,
    record,
    checkpointer: new Checkpointer(store, claim, { maxBytes, knownBelow: [0] }),
  };
}

function change(table: AggregateTable, id: string, state: unknown): void {
  const aggregate = table.get(id) ?? table.add(id, id, 0);
  aggregate.state = state;
  aggregate.events += 1;
  table.markChanged(aggregate);
}

/** With room for everything. */
function placeOf(table: AggregateTable): Restored {
  return { tables: [table], relieve: async () => undefined };
}

describe("Checkpointer", () => {
  it("chains what changed onto a base, and all of it comes back", async () => {
    const { checkpointer, table, record } = await open();
    for (const id of ["a", "b", "c"]) change(table, id, { n: 1, text: id.repeat(100) });
    await checkpointer.begin([table], meta(3), 30);
    change(table, "b", { n: 2 });
    change(table, "d", { n: 1 });
    await checkpointer.begin([table], meta(5), 50);
    // Folding goes on behind it: what happens now is not part of the checkpoint.
    change(table, "a", { n: 99 });
    await checkpointer.settle();
    const unit = await record();
    expect(unit).toMatchObject({ cursorSeq: 50, counts: { applied: 5 }, deliveredByPartition: [5] });
    expect(unit.checkpoints).toMatchObject([
      { number: 1, seq: 30, base: true, aggregates: 3, rows: 3, epoch: 1 },
      { number: 2, seq: 50, base: false, aggregates: 4, rows: 2, epoch: 1 },
    ]);
    const restored = new AggregateTable("graph");
    expect(await restoreCheckpoints(store, unit, placeOf(restored))).toEqual(meta(5));
    expect(restored.all().map(({ id, state, events }) => [id, state, events])).toEqual([
      ["a", { n: 1, text: "a".repeat(100) }, 1],
      ["b", { n: 2 }, 2],
      ["c", { n: 1, text: "c".repeat(100) }, 1],
      ["d", { n: 1 }, 1],
    ]);
  });

  it("writes a new base once the changes outweigh it, and removes what lies before", async () => {
    const { checkpointer, table, record } = await open();
    for (const id of ["a", "b"]) change(table, id, { text: "x".repeat(2_000), n: 0 });
    for (let n = 1; n <= 40; n++) {
      for (const id of ["a", "b"]) change(table, id, { text: "x".repeat(2_000), n });
      await checkpointer.begin([table], meta(n), n);
    }
    await checkpointer.settle();
    const { checkpoints, cursorSeq } = await record();
    expect(cursorSeq).toBe(40);
    expect(checkpoints[0]).toMatchObject({ base: true });
    expect(checkpoints[0]?.number).toBeGreaterThan(1);
    expect(checkpoints.length).toBeLessThan(12);
    const restored = new AggregateTable("graph");
    await restoreCheckpoints(store, await record(), placeOf(restored));
    expect(restored.all().map(({ state }) => (state as { n: number }).n)).toEqual([40, 40]);
    expect(checkpointer.committed).toBe(40);
  });

  it("lets the event loop turn while it packs, or locks and heartbeats starve", async () => {
    const { checkpointer, table } = await open();
    for (let i = 0; i < 200_000; i++) change(table, `a${i}`, { n: i, text: "some text", more: [i, i + 1] });
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const tookMs = await checkpointer.begin([table], meta(200_000), 200_000);
    clearInterval(timer);
    expect(tookMs).toBeGreaterThan(100);
    expect(turns).toBeGreaterThanOrEqual(Math.floor(tookMs / 100));
    await checkpointer.settle();
  });

  it("goes on with the chain of an attempt before", async () => {
    const { ledger, job, claim, checkpointer, table, record } = await open();
    for (const id of ["a", "b", "c"]) change(table, id, { n: 1, text: id.repeat(500) });
    await checkpointer.begin([table], meta(3), 3);
    await checkpointer.settle();
    await claim.end((unit) => ({ ...unit, state: "pending" }));
    const second = await UnitClaim.take(ledger, job, "w2", silentLog);
    if (!second) throw new Error("no second claim");
    const restored = new AggregateTable("graph");
    await restoreCheckpoints(store, second.record, placeOf(restored));
    const next = new Checkpointer(store, second, { maxBytes: 100_000, knownBelow: [restored.size] });
    change(restored, "b", "changed");
    await next.begin([restored], meta(4), 4);
    await next.settle();
    expect((await record()).checkpoints).toMatchObject([
      { number: 1, epoch: 1, base: true },
      { number: 2, epoch: 2, base: false, rows: 1 },
    ]);
    const again = new AggregateTable("graph");
    await restoreCheckpoints(store, await record(), placeOf(again));
    expect(again.all().map(({ state }) => state)).toEqual(restored.all().map(({ state }) => state));
  });

  it("commits nothing once another epoch has the unit, and says so at the next chance", async () => {
    const { ledger, job, checkpointer, table, record } = await open();
    change(table, "a", 1);
    await checkpointer.begin([table], meta(1), 1);
    await checkpointer.settle();
    const fresh = await ledger.getUnit(job.runId, job.unit);
    if (!fresh) throw new Error("no unit");
    await ledger.putUnit({ ...fresh.record, epoch: 2, owner: "w2" }, fresh.revision);
    change(table, "a", 2);
    await checkpointer.begin([table], meta(2), 2);
    await expect(checkpointer.begin([table], meta(3), 3)).rejects.toThrow(/epoch 1 is superseded/);
    await expect(checkpointer.settle()).rejects.toThrow(/superseded/);
    expect(await record()).toMatchObject({ cursorSeq: 1, epoch: 2, checkpoints: [{ number: 1 }] });
  });

  it("fails where a chunk of the chain is gone", async () => {
    const { checkpointer, table, record, job } = await open();
    change(table, "a", 1);
    await checkpointer.begin([table], meta(1), 1);
    await checkpointer.settle();
    await store.purge(job.runId, job.unit);
    await expect(restoreCheckpoints(store, await record(), placeOf(new AggregateTable("graph")))).rejects.toThrow(
      /Cannot read checkpoint 1 of unit u0/,
    );
  });
});
