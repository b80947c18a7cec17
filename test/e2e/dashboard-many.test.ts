import { setTimeout as sleep } from "node:timers/promises";
import { type Plan, newUnitRecord, type RunRecord, type UnitRecord } from "@cim-replay/core";
import { planOf, runOf, settingsOf } from "@cim-replay/testkit";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumPath, startChromium } from "../support/chromium.ts";
import { FaultStage } from "../support/fault-stage.ts";

const RUNS = 100;
const PARTITIONS = 1_000;
const UNITS = 50;
/** What a person notices: a page that does not answer for so long. On a machine whose cores are all at work. */
const NOTICED_MS = 300;
const NEWEST = "run-099";

describe.skipIf(chromiumPath === null)(`the dashboard with ${RUNS} runs and ${PARTITIONS} partitions`, () => {
  let stage: FaultStage;
  let browser: Browser;
  let url: string;
  let moving = true;
  let mover: Promise<void>;

  beforeAll(async () => {
    stage = await FaultStage.open({ events: 1 });
    for (let i = 0; i < RUNS; i++) await createRun(i);
    const dashboard = stage.start("cim-replay", ["dashboard", "--port", "0"]);
    await dashboard.says(/Dashboard at http/);
    url = /http:\S+?(?=,)/.exec(dashboard.stderr)?.[0] ?? "";
    browser = await startChromium();
    mover = move();
  });
  afterAll(async () => {
    moving = false;
    await mover;
    await browser?.close();
    await stage?.close();
  });

  /** The newest is at work with many partitions; all others have ended. */
  async function createRun(i: number): Promise<void> {
    const id = `run-${String(i).padStart(3, "0")}`;
    const createdAt = new Date(1_790_000_000_000 + i * 60_000).toISOString();
    const settings = settingsOf("EVENTS", { domain: i % 2 === 0 ? "graph" : "workflow" });
    const state: RunRecord["state"] = i === RUNS - 1 ? "running" : i % 7 === 0 ? "cancelled" : "completed";
    const run = runOf(id, { state, createdAt, startedAt: createdAt, settings });
    if (i < RUNS - 1) await stage.ledger.createRun(run, planOf(id), [newUnitRecord(id, "u0", 1, 1)]);
    else await stage.ledger.createRun(run, manyPartitions(id), manyUnits(id));
  }

  /** Workers at work: units go on, and end one after the other. */
  async function move(): Promise<void> {
    for (let tick = 1; moving; tick++) {
      for (const { record, revision } of await stage.ledger.listUnits(NEWEST)) {
        const at = Number(record.id.slice(1));
        const live = { ...record.live, readSeq: tick * 10, delivered: tick * 10, applied: tick * 10 };
        const state: UnitRecord["state"] = at < tick ? "done" : "running";
        await stage.ledger.putUnit({ ...record, state, owner: "w", epoch: 1, live }, revision);
      }
      await sleep(300);
    }
  }

  it.each([
    ["/", "#runs tbody tr", RUNS],
    [`/runs/${NEWEST}`, "#partitions rect title", PARTITIONS],
  ])("shows %s whole, and answers while news come in", async (path, selector, wanted) => {
    const page = await browser.newPage();
    await page.goto(`${url}${path}`);
    expect(await page.locator(selector).count()).toBe(wanted);
    await page.evaluate(`
      window.longest = 0; window.news = 0;
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
      }).observe({ type: "longtask" });
      new MutationObserver(() => { window.news += 1; }).observe(document.getElementById("main"), { childList: true, characterData: true, attributes: true, subtree: true });
    `);
    await page.waitForTimeout(8_000);
    expect(Number(await page.evaluate("window.news"))).toBeGreaterThan(3);
    expect(Number(await page.evaluate("window.longest"))).toBeLessThan(NOTICED_MS);
    expect(await page.locator(selector).count()).toBe(wanted);
    await page.close();
  });

  it("answers a page of either kind within a second", async () => {
    for (const path of ["/", `/runs/${NEWEST}`]) {
      const began = performance.now();
      expect((await fetch(`${url}${path}`)).status).toBe(200);
      expect(performance.now() - began, path).toBeLessThan(1_000);
    }
  });
});

function manyPartitions(runId: string): Plan {
  const key = (i: number) => (i === 0 || i === PARTITIONS ? null : `k${String(i).padStart(6, "0")}`);
  const partitions = Array.from({ length: PARTITIONS }, (_, index) => ({
    ...{ index, fromKey: key(index), toKey: key(index + 1) },
    expected: { minEvents: 100, maxEvents: 100 + ((index * 37) % 400), aggregates: 10 },
  }));
  const each = PARTITIONS / UNITS;
  const units = Array.from({ length: UNITS }, (_, unit) => ({
    id: `u${unit}`,
    partitions: Array.from({ length: each }, (_, i) => unit * each + i),
  }));
  const read = { filterSubjects: [], messages: 100_000, reason: "" };
  return planOf(runId, { partitions, units, read, expected: { events: 100_000, aggregates: 10_000 } });
}

function manyUnits(runId: string): UnitRecord[] {
  return Array.from({ length: UNITS }, (_, unit) => newUnitRecord(runId, `u${unit}`, 1, PARTITIONS / UNITS));
}
