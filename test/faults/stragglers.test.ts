import { plannedAs, splitUnit } from "@cim-replay/core";
import { afterEach, describe, expect, it } from "vitest";
import { claimsFrom, FaultStage, SEGMENTS } from "../support/fault-stage.ts";
import { until } from "../support/until.ts";

describe("after a unit was split", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  /** As a coordinator does, in one compare-and-set: the command that is at work makes what follows from it. */
  async function splitFirst(): Promise<void> {
    const { id } = await stage.run();
    const plan = await stage.ledger.getPlan(id);
    await until(async () => {
      const found = (await stage.ledger.listUnits(id)).find(({ record }) => record.kind === "partition");
      const planned = plan && found && plannedAs(plan, found.record);
      if (!planned || found.record.cursorSeq < 800 || found.record.state !== "running") return false;
      const [first = 0, ...rest] = planned.partitions;
      return (await stage.ledger.putUnit(splitUnit(found.record, [[first], rest]), found.revision)) !== null;
    }, "a unit that can be split");
  }

  it.each([
    ["direct", "4"],
    ["shuffle", "1"],
  ])(
    "(%s) kill -9 of a worker that goes on for it, and of the command, loses nothing and folds nothing twice",
    async (...of) => {
      const [source, parallel] = of;
      stage = await FaultStage.open({ events: 4_000, eventMicros: 500, lockDuration: "1s" });
      const killed = stage.replay("--source", source, "--parallel", parallel);
      await splitFirst();
      // Before it has a checkpoint of its own.
      await stage.unit((unit) => unit.heirOf !== null && unit.state === "running");
      for (const pid of stage.workerPids()) process.kill(pid, "SIGKILL");
      await stage.unit((unit) => unit.heirOf !== null && unit.checkpoints.length > 0);
      killed.kill("SIGKILL");
      await until(() => stage.processes().length === 0, "local workers to leave by themselves", 8_000);
      const resumed = stage.start("event-replay", ["--resume"]);
      expect(await resumed.exited, stage.said).toBe(0);
      expect(await stage.entries()).toEqual(stage.expected);
      const units = (await stage.units()).filter(({ kind }) => kind === "partition");
      expect(units.map(({ id, state }) => `${id} ${state}`)).toEqual(["u0 split", "u0a done", "u0b done"]);
      // Whoever took an heir up began behind what was durable before the split.
      const claims = [killed, resumed].flatMap(({ stderr }) => claimsFrom(stderr, "u0[ab]"));
      expect(claims.length).toBeGreaterThan(2);
      for (const fromSeq of claims) expect(fromSeq).toBeGreaterThan(800);
      const status = stage.start("replay-status", ["--format", "json"]);
      expect(await status.exited).toBe(0);
      expect(JSON.parse(status.stdout)).toMatchObject({ state: "completed", units: { total: 2, done: 2 } });
    },
  );

  it("a segment that is lost to those that go on fails the run, and --resume trusts nothing that was folded of its like", async () => {
    stage = await FaultStage.open({ events: 4_000, eventMicros: 500 });
    const of = ["--source", "shuffle", "--units", "1", "--parallel", "4", "--local-workers", "1"];
    const replay = stage.replay(...of, "--checkpoint-interval", "200");
    await splitFirst();
    const { streams } = stage.client.jsm;
    const sliceOf = (subject: string) => Number(/\.(\d+)\.u0\.\d+\.\d+$/.exec(subject)?.[1] ?? -1);
    const last = (await stage.segments()).toSorted((a, b) => sliceOf(a) - sliceOf(b)).at(-1) ?? "";
    const found = await streams.getMessage(SEGMENTS, { last_by_subj: last });
    await streams.deleteMessage(SEGMENTS, found?.seq ?? 0, false);
    expect(await replay.exited, stage.said).toBe(1);
    expect((await stage.run()).reason).toMatch(/Unit u0[ab]: .*is not there any more/);
    const resumed = stage.start("event-replay", ["--resume"]);
    expect(await resumed.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    const distrusted = (await stage.units()).filter(({ heirOf }) => heirOf?.checkpoints.length === 0);
    expect(distrusted.length).toBeGreaterThan(0);
    for (const { id } of distrusted) expect(claimsFrom(resumed.stderr, id)[0]).toBe(1);
  });
});
