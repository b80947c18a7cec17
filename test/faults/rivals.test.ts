import { afterEach, describe, expect, it } from "vitest";
import { FaultStage } from "../support/fault-stage.ts";

describe("a domain that is replayed", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  it("again has the same bytes again, all of them the second run's", async () => {
    stage = await FaultStage.open({ eventMicros: 50 });
    expect(await stage.replay().exited, stage.said).toBe(0);
    const first = await stage.entries();
    expect(first).toEqual(stage.expected);
    expect(await stage.replay("--units", "2").exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(first);
    const { id } = await stage.run();
    expect([...(await stage.provenances()).values()].every(({ run }) => run === id)).toBe(true);
  });

  it("by two commands at once is the first one's: the second is refused with its id", async () => {
    stage = await FaultStage.open({ events: 6_000 });
    const first = stage.replay();
    const { runId } = await stage.unit(({ cursorSeq }) => cursorSeq > 400);
    const second = stage.replay();
    expect(await second.exited, stage.said).toBe(1);
    expect(second.stderr).toContain(`run ${runId} is rebuilding shop`);
    expect(second.stderr).toContain(`cancel-replay --run ${runId}`);
    const resumed = stage.start("event-replay", ["--resume"]);
    expect(await resumed.exited, stage.said).toBe(1);
    expect(await first.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    expect(await stage.ledger.listRuns()).toHaveLength(1);
  });

  it("into two buckets at once is done for both, though the second counts on workers that leave with the first", async () => {
    stage = await FaultStage.open();
    const first = stage.replay();
    await stage.unit(({ cursorSeq }) => cursorSeq > 400);
    const second = stage.replay("--target", "other");
    expect(await first.exited, stage.said).toBe(0);
    expect(await second.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    expect(await stage.entries("other")).toEqual(stage.expected);
  });

  it("while a live writer puts into an entry of it is not: status 1, the key named, the writer's entry kept", async () => {
    stage = await FaultStage.open({ events: 2_000 });
    expect(await stage.replay().exited, stage.said).toBe(0);
    const before = await stage.run();
    const replay = stage.replay();
    await stage.unit((unit) => unit.runId !== before.id && unit.cursorSeq > 400);
    await stage.client.js.publish("$KV.CIM_PROJECTIONS.shop.a77", "theirs");
    expect(await replay.exited, stage.said).toBe(1);
    expect(replay.stderr).toMatch(/Cannot write entry shop\.a77.*a writer that is not cim-replay/);
    expect((await stage.entries()).get("shop.a77")).toBe("theirs");
  });
});
