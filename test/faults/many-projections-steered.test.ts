import { fileURLToPath } from "node:url";
import { freePort, readAllMessages, referenceFold } from "@cim-replay/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { claimsFrom, FaultStage } from "../support/fault-stage.ts";
import hoardingProjection from "./hoarding-projection.ts";

const SLOW = fileURLToPath(new URL("./slow-projection.ts", import.meta.url));
const HOARDING = fileURLToPath(new URL("./hoarding-projection.ts", import.meta.url));
const TARGETS = ["--projection", `${SLOW}=CIM_SLOW`, "--projection", `${HOARDING}=CIM_HOARD`];
const PACE = ["--units", "1", "--batch-size", "50", "--prefetch", "1000", "--checkpoint-interval", "400"];

describe("a run with two targets, while it is at work", () => {
  let stage: FaultStage;
  let expectedOfOther: ReadonlyMap<string, string>;
  beforeEach(async () => {
    stage = await FaultStage.open();
    expectedOfOther = await referenceFold(readAllMessages(stage.client, "EVENTS"), hoardingProjection, {
      domain: "shop",
    });
  });
  afterEach(() => stage.close());

  const replay = (...more: string[]) =>
    stage.start("domain-replay", ["--domain", "shop", ...TARGETS, ...PACE, ...more]);
  const tool = async (name: string, ...args: string[]) => {
    const started = stage.start(name, args);
    expect(await started.exited, stage.said).toBe(0);
    return started.stdout;
  };
  const bothEntries = async () => [await stage.entries("CIM_SLOW"), await stage.entries("CIM_HOARD")];

  it("is held and let go on for both, from one checkpoint", async () => {
    const running = replay();
    await stage.unit(({ cursorSeq }) => cursorSeq > 800);
    expect(await tool("pause-replay")).toMatch(/is paused; [\d,]+ of 3,000 events are checkpointed/);
    const [held] = await stage.units();
    expect(held?.state).toBe("pending");
    await tool("resume-replay");
    expect(await running.exited, stage.said).toBe(0);
    expect(claimsFrom(running.stderr)).toEqual([1, (held?.cursorSeq ?? 0) + 1]);
    expect(await bothEntries()).toEqual([stage.expected, expectedOfOther]);
  });

  it("is cancelled for both: no entry is written, and both are free for the next run", async () => {
    const running = replay();
    await stage.unit(({ cursorSeq }) => cursorSeq > 800);
    await tool("cancel-replay", "--reason", "wrong targets");
    expect(await running.exited, stage.said).toBe(1);
    expect(running.stderr).toContain("wrong targets");
    expect(await bothEntries()).toEqual([new Map(), new Map()]);
    for (const bucket of ["CIM_SLOW", "CIM_HOARD"]) expect(await stage.ledger.getLease("shop", bucket)).toBeNull();
    expect(await replay().exited, stage.said).toBe(0);
    expect(await bothEntries()).toEqual([stage.expected, expectedOfOther]);
    // Clearing one of them leaves the other as it is.
    await tool("clear-projections", "--domain", "shop", "--target", "CIM_HOARD", "--yes");
    expect(await bothEntries()).toEqual([stage.expected, new Map()]);
  });

  it("names both in its metrics and in the dashboard", async () => {
    const port = await freePort();
    const dashboard = stage.start("cim-replay", ["dashboard", "--port", "0"]);
    await dashboard.says(/Dashboard at http/);
    const url = /http:\S+?(?=,)/.exec(dashboard.stderr)?.[0] ?? "";
    const running = replay("--metrics-port", String(port));
    const { runId } = await stage.unit(({ live }) => live.applied > 200);
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    for (const bucket of ["CIM_SLOW", "CIM_HOARD"]) {
      expect(metrics).toMatch(new RegExp(`cim_replay_run_info\\{[^}]*target="${bucket}"[^}]*\\} 1`));
    }
    const page = await (await fetch(new URL(`/runs/${runId}`, url))).text();
    expect(page).toContain("shop into CIM_SLOW, CIM_HOARD");
    expect(await running.exited, stage.said).toBe(0);
    const certificate = await (await fetch(new URL(`/runs/${runId}/certificate`, url))).text();
    for (const bucket of ["CIM_SLOW", "CIM_HOARD"]) expect(certificate).toContain(`Bucket ${bucket}`);
  });
});
