import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { bucketsOf } from "@cim-replay/core";
import { readAllMessages, referenceFold } from "@cim-replay/testkit";
import { certificateSchema } from "@cim-replay/verifier";
import { afterEach, describe, expect, it } from "vitest";
import { claimsFrom, FaultStage, type FaultStageOptions } from "../support/fault-stage.ts";
import type { ReplayProcess } from "../support/replay-process.ts";
import { until } from "../support/until.ts";
import hoardingProjection from "./hoarding-projection.ts";

const SLOW = fileURLToPath(new URL("./slow-projection.ts", import.meta.url));
const HOARDING = fileURLToPath(new URL("./hoarding-projection.ts", import.meta.url));

describe("a run with two projections", () => {
  let stage: FaultStage;
  let expectedOfOther: ReadonlyMap<string, string>;
  afterEach(() => stage.close());

  async function open(options: FaultStageOptions = {}): Promise<void> {
    stage = await FaultStage.open(options);
    expectedOfOther = await referenceFold(readAllMessages(stage.client, "EVENTS"), hoardingProjection, {
      domain: "shop",
    });
  }

  function replay(...more: string[]): ReplayProcess {
    const pace = ["--units", "1", "--batch-size", "50", "--prefetch", "1000", "--checkpoint-interval", "400"];
    const targets = ["--projection", `${SLOW}=CIM_SLOW`, "--projection", `${HOARDING}=CIM_HOARD`];
    return stage.start("domain-replay", ["--domain", "shop", ...targets, ...pace, "--certify", "content", ...more]);
  }

  async function expectBothAsAlone(): Promise<void> {
    expect(await stage.entries("CIM_SLOW"), stage.said).toEqual(stage.expected);
    expect(await stage.entries("CIM_HOARD")).toEqual(expectedOfOther);
    const run = await stage.run();
    expect(bucketsOf(run.settings)).toEqual(["CIM_SLOW", "CIM_HOARD"]);
    const certificate = certificateSchema.parse(await stage.ledger.getCertificate(run.id));
    expect(certificate).toMatchObject({ verdict: "holds", bucket: "CIM_SLOW" });
    expect(certificate.otherTargets).toMatchObject([{ verdict: "holds", bucket: "CIM_HOARD" }]);
  }

  it("comes to what each comes to alone, though its worker is killed in mid-fold", async () => {
    await open({ events: 4_000, eventMicros: 500 });
    const running = replay("--checkpoint-interval", "300");
    let cursorSeq = 0;
    for (let epoch = 1; epoch <= 2; epoch++) {
      await stage.unit((unit) => unit.epoch === epoch && unit.state === "running" && unit.cursorSeq > cursorSeq);
      for (const pid of stage.workerPids()) process.kill(pid, "SIGKILL");
      await sleep(100);
      cursorSeq = (await stage.units())[0]?.cursorSeq ?? 0;
    }
    expect(await running.exited, stage.said).toBe(0);
    await expectBothAsAlone();
    const claims = claimsFrom(running.stderr);
    expect(claims).toHaveLength(3);
    expect(claims[2]).toBeGreaterThan(claims[1] ?? 0);
  });

  it("comes to it though its worker is killed while the second target is written", async () => {
    await open({ events: 2_500, aggregates: 2_000, eventMicros: 50, entryMicros: 1_500 });
    // The one whose entries take their time comes second.
    const targets = ["--projection", `${HOARDING}=CIM_HOARD`, "--projection", `${SLOW}=CIM_SLOW`];
    const running = stage.start("domain-replay", ["--domain", "shop", ...targets, "--units", "1"]);
    await stage.unit(({ live }) => (live.byTarget?.[1]?.entriesWritten ?? 0) > 300);
    for (const pid of stage.workerPids()) process.kill(pid, "SIGKILL");
    expect(await running.exited, stage.said).toBe(0);
    expect(await stage.entries("CIM_SLOW"), stage.said).toEqual(stage.expected);
    expect(await stage.entries("CIM_HOARD")).toEqual(expectedOfOther);
    const [first, second] = (await stage.run()).summary?.targets ?? [];
    expect(first).toMatchObject({ entriesWritten: 0, entriesUnchanged: expectedOfOther.size });
    expect(second?.entriesUnchanged).toBeGreaterThan(300);
  });

  it("is gone on with by --resume after its command was killed, with both targets", async () => {
    await open({ lockDuration: "1s" });
    const killed = replay();
    await stage.unit((unit) => unit.cursorSeq > 1_000);
    killed.kill("SIGKILL");
    await until(() => stage.processes().length === 0, "local workers to leave by themselves", 8_000);
    const resumed = stage.start("event-replay", ["--resume"]);
    expect(await resumed.exited, stage.said).toBe(0);
    await expectBothAsAlone();
    expect(await stage.ledger.listRuns()).toHaveLength(1);
  });

  it("keeps a second run from either of its targets, naming itself, in whatever order that asks", async () => {
    await open({ eventMicros: 1_500 });
    const first = replay();
    const { runId } = await stage.unit((unit) => unit.live.applied > 50);
    const rivals = [
      ["--projection", `${HOARDING}=CIM_HOARD`],
      ["--projection", `${HOARDING}=CIM_HOARD`, "--projection", `${SLOW}=CIM_SLOW`],
      ["--projection", `${HOARDING}=CIM_AAA`, "--projection", `${SLOW}=CIM_HOARD`],
    ].map((targets) => stage.start("domain-replay", ["--domain", "shop", ...targets]));
    for (const rival of rivals) {
      expect(await rival.exited, rival.said).toBe(1);
      expect(rival.stderr).toContain(`run ${runId} is rebuilding shop in CIM_`);
    }
    expect(await stage.ledger.getLease("shop", "CIM_AAA")).toBeNull();
    expect(await first.exited, stage.said).toBe(0);
    await expectBothAsAlone();
  });

  it("gets all of its targets, or none, where two runs begin at once and name them in opposite orders", async () => {
    await open({ events: 300, eventMicros: 2_000 });
    const one = ["--projection", `${SLOW}=CIM_A`, "--projection", `${HOARDING}=CIM_B`];
    const other = ["--projection", `${HOARDING}=CIM_B`, "--projection", `${SLOW}=CIM_A`];
    const both = [one, other].map((targets) => stage.start("domain-replay", ["--domain", "shop", ...targets]));
    const statuses = await Promise.all(both.map(({ exited }) => exited));
    // Where one had ended before the other began, both are done; never may both be refused.
    expect(statuses, stage.said).toContain(0);
    expect(await stage.entries("CIM_A")).toEqual(stage.expected);
    expect(await stage.entries("CIM_B")).toEqual(expectedOfOther);
  });
});
