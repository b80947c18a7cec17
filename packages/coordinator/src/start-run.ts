import { hostname } from "node:os";
import {
  bucketsOf,
  eachTarget,
  emptyCounts,
  figuresByTarget,
  moveRun,
  moveUnit,
  newUnitRecord,
  type Plan,
  ReplayError,
  type RunBackup,
  SegmentLostError,
  type RunRecord,
  type RunSettings,
  type UnitRecord,
} from "@cim-replay/core";
import { ensureBucket } from "@cim-replay/nats";
import type { ReplayContext } from "./context.ts";
import { coordinatorId } from "./lease-keeper.ts";
import { sweepSegments, toPackAgain } from "./segments.ts";
import { acquireTargets, type TargetLeases } from "./target-leases.ts";

/** A run and the right to drive it. */
export interface HeldRun {
  readonly record: RunRecord;
  readonly lease: TargetLeases;
}

/** Writes a planned run into the ledger. Throws ReplayError where another run has the same domain and one of its targets. */
export async function startRun(
  ctx: ReplayContext,
  command: string,
  settings: RunSettings,
  plan: Plan,
  /** By target; none: nothing is known of any. */
  [backup, ...otherBackups]: readonly RunBackup[] = [],
): Promise<HeldRun> {
  const lease = await acquireTargets(ctx, settings, plan.runId);
  try {
    for (const bucket of bucketsOf(settings)) await ensureBucket(ctx.client, bucket);
    const record: RunRecord = {
      version: 1,
      id: plan.runId,
      command,
      state: "planned",
      reason: null,
      settings,
      createdAt: new Date().toISOString(),
      startedAt: null,
      endedAt: null,
      coordinator: { id: coordinatorId, host: hostname(), pid: process.pid },
      backup: backup ?? null,
      otherBackups,
      adaptive: null,
      summary: null,
    };
    const { runId, slices, partitions, units, sliceUnits } = plan;
    const targets = bucketsOf(settings).length;
    await ctx.ledger.createRun(record, plan, [
      ...sliceUnits.map(({ id }) => newUnitRecord(runId, id, slices.length, partitions.length, "slice")),
      ...units.map((unit) =>
        newUnitRecord(runId, unit.id, slices.length, unit.partitions.length, "partition", targets),
      ),
    ]);
    await sweepSegments(ctx);
    return { record, lease };
  } catch (error) {
    await lease.release();
    throw error;
  }
}

/**
 * Goes on with a run that has no coordinator: takes its lease, and puts failed units back to where they were still right.
 * Throws ReplayError where it has ended for good, or somebody coordinates it.
 */
export async function takeOverRun(ctx: ReplayContext, runId: string, changes: Partial<RunSettings>): Promise<HeldRun> {
  const found = await ctx.ledger.getRun(runId);
  if (!found) throw new ReplayError(`Cannot resume run ${runId}: the ledger has none of that id. See \`replay-list\`.`);
  const { settings } = found.record;
  if (found.record.state === "completed" || found.record.state === "cancelled") {
    throw new ReplayError(`Cannot resume run ${runId}: it is ${found.record.state}. Start a new one.`);
  }
  await assertNotOvertaken(ctx, found.record);
  const lease = await acquireTargets(ctx, settings, runId);
  try {
    await sweepSegments(ctx);
    const units = await ctx.ledger.listUnits(runId);
    const packAgain = toPackAgain(
      found.record,
      units.map(({ record }) => record),
    );
    for (const { record, revision } of units) {
      const mended = record.state === "failed" ? beforeFailure(record) : packAgain(record);
      if (mended) await ctx.ledger.putUnit(mended, revision);
    }
    const record = await ctx.ledger.changeRun(runId, (run) => ({
      ...(run.state === "running" || run.state === "planned" ? run : moveRun(run, "running")),
      reason: null,
      endedAt: null,
      summary: null,
      settings: { ...run.settings, ...changes },
      coordinator: { id: coordinatorId, host: hostname(), pid: process.pid },
    }));
    return { record, lease };
  } catch (error) {
    await lease.release();
    throw error;
  }
}

/** What a later run has written is newer than this one's plan: going on would find another writer in every entry. */
async function assertNotOvertaken(ctx: ReplayContext, run: RunRecord): Promise<void> {
  const { domain } = run.settings;
  const buckets = bucketsOf(run.settings);
  const later = (await ctx.ledger.listRuns())
    .flatMap(eachTarget)
    .find(
      (other) =>
        other.state === "completed" &&
        other.settings.domain === domain &&
        buckets.includes(other.settings.target) &&
        other.settings.aggregateId === run.settings.aggregateId &&
        other.createdAt > run.createdAt,
    );
  if (!later) return;
  const { target } = later.settings;
  if (later.settings.filter !== null) {
    throw new ReplayError(
      `Cannot resume run ${run.id}: run ${later.id} has replayed a selection of ${domain} into ${target} since, so entries are newer than its plan. ` +
        `Start a new run; \`cancel-replay --run ${run.id}\` puts this one away.`,
    );
  }
  throw new ReplayError(
    `Cannot resume run ${run.id}: run ${later.id} has completed ${domain} in ${target} since. ` +
      `Nothing is left to do; \`cancel-replay --run ${run.id}\` puts it away.`,
  );
}

/** Back to the last checkpoint that nothing bad has touched; to the start where there is none. */
function beforeFailure(unit: UnitRecord): UnitRecord {
  const parkedSeqs = figuresByTarget(unit).map(({ firstParkedSeq }) => firstParkedSeq ?? Number.POSITIVE_INFINITY);
  // Where a segment was not what was packed, the unit trusts nothing that it folded of segments, nor the states that it was handed over.
  const isLost = unit.failure?.kind === SegmentLostError.name;
  const lastGoodSeq = isLost ? 0 : Math.min(...parkedSeqs);
  const heirOf = isLost && unit.heirOf ? { ...unit.heirOf, checkpoints: [] } : unit.heirOf;
  const checkpoints = unit.checkpoints.filter(({ seq }) => seq < lastGoodSeq);
  // Those of the failure reach further than what is durable; the next checkpoint states its own.
  const counts = Number.isFinite(lastGoodSeq) ? { counts: emptyCounts() } : {};
  const unparked = { ...counts, firstParkedSeq: null, parkedAggregates: 0 };
  return {
    ...moveUnit(unit, "pending"),
    ...unparked,
    ...{ checkpoints, heirOf },
    cursorSeq: checkpoints.at(-1)?.seq ?? heirOf?.checkpoints.at(-1)?.seq ?? 0,
    otherTargets: unit.otherTargets.map((figures) => ({ ...figures, ...unparked })),
    failure: null,
  };
}
