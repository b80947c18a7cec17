import { type DriveOptions, driveRun, type HeldRun, readProgress, takeOverRun } from "@cim-replay/coordinator";
import {
  compileProjection,
  partitionRouter,
  type Plan,
  plannedAs,
  type Projection,
  type ReplayEvent,
  type RunRecord,
  splitUnit,
  type UnitRecord,
} from "@cim-replay/core";
import { certifyRun, loadRun, planSha256 } from "@cim-replay/verifier";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { orderProjection } from "../support/order-projection.ts";
import { openStage, SOURCES, type Stage, type StagedEvent } from "../support/stage.ts";
import { until } from "../support/until.ts";

const EVENT_MICROS = 1_000;
const cell = new Int32Array(new SharedArrayBuffer(4));
let owedMicros = 0;
let isSlow = true;
/** Whose events alone are slow, and six times as slow. Null: all are. */
let slowIds: ReadonlySet<string> | null = null;

function microsOf({ aggregateId }: ReplayEvent): number {
  if (!isSlow) return 0;
  if (slowIds === null) return EVENT_MICROS;
  return slowIds.has(aggregateId) ? 6 * EVENT_MICROS : 0;
}

/** As the usual one, and so slow that somebody can look. */
const slow = {
  ...orderProjection,
  evolve(state: never, event: ReplayEvent) {
    owedMicros += microsOf(event);
    if (owedMicros >= 5_000) {
      Atomics.wait(cell, 0, 0, owedMicros / 1_000);
      owedMicros = 0;
    }
    return orderProjection.evolve(state, event as never);
  },
} as unknown as Projection<never>;
const other = { ...slow, name: "other" };
const ofOther = { name: "other", source: "builtin", path: null, sha256: "test" } as const;

const events = (count: number): StagedEvent[] =>
  Array.from({ length: count }, (_, n) => ({ id: `a${(n * 7) % 60}`, type: "Added", payload: { n } }));

let stage: Stage;
let expected: Map<string, string>;
let second: string;

beforeEach(async () => {
  stage = await openStage({
    natsUrl: inject("natsUrl"),
    redisUrl: inject("redisUrl"),
    projection: slow,
    otherProjections: [other],
  });
  second = `${stage.bucket}-other`;
  await stage.publish(events(3_000));
  await stage.addWorkers(2);
  isSlow = false;
  const alone = `${stage.bucket}-alone`;
  expect((await stage.run({ target: alone })).state).toBe("completed");
  expected = await stage.entries(alone);
  isSlow = true;
  slowIds = null;
});
afterEach(() => stage.close());

function drive(held: HeldRun, options: Partial<DriveOptions> = {}): Promise<RunRecord> {
  return driveRun(stage.ctx, held, {
    ...{ pool: null, localWorkers: 0, checkpointDir: null, certify: null, onProgress: () => undefined },
    signal: new AbortController().signal,
    ...options,
  });
}

const units = async (runId: string): Promise<UnitRecord[]> =>
  (await stage.ctx.ledger.listUnits(runId)).map(({ record }) => record);

const pace = { batchSize: 50, prefetch: 500, checkpointInterval: 300 };

async function expectWhole(run: RunRecord): Promise<void> {
  expect(run).toMatchObject({
    state: "completed",
    reason: null,
    summary: { events: 3_000, aggregates: expected.size },
  });
  expect(await stage.entries(run.settings.target)).toEqual(expected);
  const evidence = await loadRun(stage.ctx.ledger, run.id);
  const projections = [slow, other].map((projection, at) => ({
    ref: at === 0 ? run.settings.projection : ofOther,
    projection: compileProjection(projection as unknown as Projection),
  }));
  isSlow = false;
  const certificate = await certifyRun({
    ...{ client: stage.client, ledger: stage.ctx.ledger, level: "full", projections, toolVersion: "0.0.0" },
    ...{ ...evidence, signal: new AbortController().signal },
  });
  expect(certificate.discrepancies.first).toEqual([]);
  expect(certificate.verdict).toBe("holds");
  // Of the plan as it was pinned, whoever has which partition now.
  const pinned = await stage.ctx.ledger.getPlan(run.id);
  expect(certificate.planSha256).toBe(pinned && planSha256(pinned));
}

/** As a coordinator does, in one compare-and-set, and nothing more. */
async function splitFirst(runId: string): Promise<void> {
  const plan = await stage.ctx.ledger.getPlan(runId);
  await until(async () => {
    const found = (await stage.ctx.ledger.listUnits(runId)).find(({ record }) => record.kind === "partition");
    const planned = plan && found && plannedAs(plan, found.record);
    if (!planned || found.record.state !== "running" || found.record.checkpoints.length === 0) return false;
    const [first = 0, ...rest] = planned.partitions;
    return (await stage.ctx.ledger.putUnit(splitUnit(found.record, [[first], rest]), found.revision)) !== null;
  }, "a unit that can be split");
}

describe("a unit that lags while a worker is idle", () => {
  /** Those of the plan's last unit. */
  function idsOfLast(plan: Plan): Set<string> {
    const partitionOf = partitionRouter(plan);
    const last = plan.units.at(-1)?.partitions ?? [];
    return new Set(
      events(3_000)
        .map(({ id }) => id)
        .filter((id) => last.includes(partitionOf(id))),
    );
  }

  it.each([
    // Planned as if folding cost nothing, one unit, and a worker that has nothing to do; or two, one of which is at it for long.
    ["direct", 4, 1],
    ["shuffle", 2, 2],
  ] as const)(
    "is split (%s), and the run ends with the bytes of one that was not, certified",
    async (source, parallel, unitsPlanned) => {
      isSlow = false;
      const held = await stage.start({ ...pace, source, parallel });
      const plan = await stage.ctx.ledger.getPlan(held.record.id);
      expect(plan?.units).toHaveLength(unitsPlanned);
      slowIds = plan && unitsPlanned > 1 ? idsOfLast(plan) : null;
      isSlow = true;
      const run = await drive(held, { stragglesFromMs: 500 });
      const all = await units(run.id);
      const split = all.filter(({ state }) => state === "split");
      expect(split.length).toBeGreaterThan(0);
      for (const { splitInto, checkpoints } of split) {
        for (const { id } of splitInto) {
          const heir = all.find((unit) => unit.id === id);
          // They went on from where it was, and did not begin anew.
          expect(heir?.heirOf?.checkpoints).toEqual(checkpoints);
          expect(["done", "split"]).toContain(heir?.state);
        }
      }
      await expectWhole(run);
    },
  );

  it("is not, where its number of units was forced, or it has little to go", async () => {
    for (const [units_, stragglesFromMs] of [
      [1, 100],
      [null, 60_000],
    ] as const) {
      const held = await stage.start({ ...pace, target: `${stage.bucket}-${units_}`, parallel: 4, units: units_ });
      const run = await drive(held, { stragglesFromMs });
      expect((await units(run.id)).map(({ state }) => state)).not.toContain("split");
      isSlow = true;
    }
  });
});

describe("a unit that was split", () => {
  const folders = async (runId: string) => (await units(runId)).filter(({ kind }) => kind === "partition");

  it.each(SOURCES)(
    "(%s) is finished by whoever coordinates, though who split it died before it could say so",
    async (source) => {
      const held = await stage.start({ ...pace, source, parallel: 4, units: 1 });
      const driven = drive(held);
      await splitFirst(held.record.id);
      await expectWhole(await driven);
      const { id } = held.record;
      expect((await folders(id)).map((unit) => `${unit.id} ${unit.state}`)).toEqual([
        "u0 split",
        "u0a done",
        "u0b done",
      ]);
    },
  );

  it.each(SOURCES)(
    "(%s) is gone on with after a pause, by heirs without a checkpoint of their own, for each target",
    async (source) => {
      const targets = { otherTargets: [{ target: second, projection: ofOther }] };
      const held = await stage.start({ ...pace, ...targets, source, checkpointInterval: 600, parallel: 4, units: 1 });
      const interruption = new AbortController();
      const paused = drive(held, { signal: interruption.signal });
      await splitFirst(held.record.id);
      interruption.abort();
      expect((await paused).state).toBe("paused");
      const progress = await readProgress(stage.client, stage.ctx.ledger, held.record.id);
      expect(progress.units.total).toBe(2);
      expect(progress.durableEvents).toBeGreaterThanOrEqual(600);
      const run = await drive(await takeOverRun(stage.ctx, held.record.id, {}));
      await expectWhole(run);
      expect(await stage.entries(second)).toEqual(expected);
      // What was durable was folded once: the heirs began behind it.
      for (const { heirOf } of await units(run.id)) if (heirOf) expect(heirOf.checkpoints.length).toBeGreaterThan(0);
    },
  );
});

it("an aggregate that has most of the events is named as hot, while the run is at work and afterwards", async () => {
  await stage.publish(Array.from({ length: 3_000 }, (_, n) => ({ id: "a0", type: "Added", payload: { n } })));
  const held = await stage.start({ ...pace, parallel: 4 });
  const { id } = held.record;
  const driven = drive(held);
  const hot = await until(async () => (await readProgress(stage.client, stage.ctx.ledger, id)).hot, "a hot aggregate");
  expect(hot.aggregateId).toBe("a0");
  expect(hot.share).toBeGreaterThan(0.3);
  const { summary } = await driven;
  expect(summary?.findings.join()).toMatch(/aggregate a0 has 5\d % of all events: one worker folds them/);
});
