import { takeOverRun } from "@cim-replay/coordinator";
import { defineProjection } from "@cim-replay/core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { openStage, type Stage } from "../support/stage.ts";

const cell = new Int32Array(new SharedArrayBuffer(4));
/** Each event takes this long while it is above 0: time in which a run can be seen to have skipped too many. */
let eventMs = 2;

const counting = defineProjection<{ events: number }>({
  name: "counting",
  initial: () => ({ events: 0 }),
  evolve(state, event) {
    if (eventMs > 0) Atomics.wait(cell, 0, 0, eventMs);
    if (JSON.stringify(event.payload).includes("boom")) throw new Error("boom");
    state.events += 1;
    return state;
  },
});

describe("--skip-errors over two units", () => {
  const events = 1_000;
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({
      natsUrl: inject("natsUrl"),
      redisUrl: inject("redisUrl"),
      projection: counting as never,
    });
    await stage.addWorkers(2);
    // A bad event for each unit, before all others: a limit of one allows either unit its own, and not both.
    const ids = Array.from({ length: 20 }, (_, i) => `a${String(i).padStart(2, "0")}`);
    await stage.publish([
      ...["a00", "a19"].map((id) => ({ id, type: "Added", payload: { boom: true } })),
      ...Array.from({ length: events }, (_, i) => ({ id: ids[i % ids.length] ?? "", type: "Added", payload: { i } })),
    ]);
  });
  afterAll(() => stage.close());

  it("is the limit of the run: it stops while it reads, writes nothing, and can be resumed with a higher one", async () => {
    const failed = await stage.run({ units: 2, skipErrors: 1, batchSize: 20 });
    expect(failed.state).toBe("failed");
    expect(failed.reason).toMatch(/^2 events cannot be taken so far, and --skip-errors allows 1 in all/);
    const units = (await stage.ctx.ledger.listUnits(failed.id)).map(({ record }) => record);
    expect(units).toHaveLength(2);
    for (const unit of units) {
      expect(unit.state).toBe("pending");
      expect(unit.live.delivered).toBeLessThan(events);
    }
    expect((await stage.entries()).size).toBe(0);
    eventMs = 0;
    const run = await stage.drive(await takeOverRun(stage.ctx, failed.id, { skipErrors: 2 }));
    expect(run).toMatchObject({ state: "completed", reason: null, summary: { quarantined: 2 } });
    const values = [...(await stage.entries()).values()].map((text) => JSON.parse(text).events);
    expect(values).toEqual(Array.from({ length: 20 }, () => events / 20));
  });
});
