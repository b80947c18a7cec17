import { emptyCounts, newUnitRecord, SegmentLostError, silentLog, type UnitRecord } from "@cim-replay/core";
import { connectNats, type NatsClient } from "@cim-replay/nats";
import { UnitQueue } from "@cim-replay/queue";
import { planOf, runOf, settingsOf, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { ReplayContext } from "./context.ts";
import { openLedger } from "./run.fixture.ts";
import { takeOverRun } from "./start-run.ts";

let client: NatsClient;
let ctx: ReplayContext;

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "test" });
  const options = {
    redisUrl: inject("redisUrl"),
    prefix: uniqueName("q"),
    lockDurationMs: 4_000,
    stalledIntervalMs: 1_000,
  };
  ctx = { client, ledger: await openLedger(client), queue: await UnitQueue.open(options), log: silentLog };
});
afterAll(async () => {
  await ctx.queue.close();
  await client.close();
});

const checkpoint = (number: number, seq: number) => ({
  ...{ number, seq, epoch: 1, fromMessage: number, toMessage: number, bytes: 1, aggregates: 1, rows: 1 },
  base: number === 1,
});
const counts = { ...emptyCounts(), delivered: 90, applied: 88, quarantined: 2 };

async function failedRun(unit: Partial<UnitRecord>, state: "failed" | "completed" | "cancelled" = "failed") {
  const id = uniqueName("run");
  const settings = settingsOf(id);
  const record = {
    ...newUnitRecord(id, "u0", 1, 1),
    state: "failed" as const,
    epoch: 1,
    counts,
    cursorSeq: 40,
    ...unit,
  };
  await ctx.ledger.createRun(runOf(id, { state, settings }), planOf(id), [record]);
  return id;
}

const unitOf = async (id: string) => (await ctx.ledger.getUnit(id, "u0"))?.record;

describe("takeOverRun", () => {
  it("puts a unit that met bad events back before the first of them, and claims no more than is durable", async () => {
    const id = await failedRun({
      checkpoints: [checkpoint(1, 10), checkpoint(2, 20), checkpoint(3, 30)],
      firstParkedSeq: 25,
      parkedAggregates: 2,
      failure: { kind: "bad-events", message: "" },
    });
    const { record, lease } = await takeOverRun(ctx, id, { skipErrors: 2 });
    await lease.release();
    expect(record).toMatchObject({ state: "running", settings: { skipErrors: 2 } });
    expect(await unitOf(id)).toMatchObject({
      state: "pending",
      cursorSeq: 20,
      checkpoints: [{ number: 1 }, { number: 2 }],
      counts: emptyCounts(),
      firstParkedSeq: null,
      parkedAggregates: 0,
      failure: null,
    });
  });

  it("lets a unit that failed for another reason go on from its last checkpoint", async () => {
    const id = await failedRun({ checkpoints: [checkpoint(1, 40)], failure: { kind: "unexpected", message: "" } });
    await (await takeOverRun(ctx, id, {})).lease.release();
    expect(await unitOf(id)).toMatchObject({ state: "pending", cursorSeq: 40, checkpoints: [{ number: 1 }], counts });
  });

  it("lets a unit that was handed another segment than was packed trust neither its own states nor those it began with", async () => {
    const inherited = { unit: "u", partitions: [0, 1], own: [0], takesRest: true, checkpoints: [checkpoint(1, 20)] };
    const lost = { kind: SegmentLostError.name, message: "" };
    const id = await failedRun({ checkpoints: [checkpoint(2, 40)], heirOf: inherited, failure: lost });
    await (await takeOverRun(ctx, id, {})).lease.release();
    const unit = await unitOf(id);
    expect(unit).toMatchObject({ state: "pending", cursorSeq: 0, checkpoints: [], counts: emptyCounts() });
    expect(unit?.heirOf?.checkpoints).toEqual([]);
  });

  it.each(["completed", "cancelled"] as const)("refuses a run that is %s, and leaves its lease free", async (state) => {
    const id = await failedRun({}, state);
    await expect(takeOverRun(ctx, id, {})).rejects.toThrow(new RegExp(`resume run ${id}: it is ${state}`));
    expect(await ctx.ledger.getLease("graph", settingsOf(id).target)).toBeNull();
    await expect(takeOverRun(ctx, "no-such-run", {})).rejects.toThrow(/the ledger has none of that id/);
  });
});
