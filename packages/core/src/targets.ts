import type { Plan } from "./plan.ts";
import type { ProjectionRef } from "./projection.ts";
import type { RunRecord, RunSettings } from "./run.ts";
import type { FoldFigures, UnitRecord } from "./unit.ts";

/*
 * A run folds one projection, or several in one pass, each into a bucket of its own. For each of its targets it is what a
 * run of that one alone would be: same id, range and units, own counts, entries and bad events. So whoever is about one
 * target asks for the run as that target sees it, and need not know of the others. The first target stands where it always
 * stood in records, the others under `otherTargets`.
 */

/** A bucket, and the projection that is written to it. */
export interface RunTarget {
  readonly bucket: string;
  readonly projection: ProjectionRef;
}

/** At least one, in the order in which they were asked for: the order of everything that is kept by target. */
export function targetsOf({ target, projection, otherTargets }: RunSettings): [RunTarget, ...RunTarget[]] {
  const others = otherTargets.map((other) => ({ bucket: other.target, projection: other.projection }));
  return [{ bucket: target, projection }, ...others];
}

export function bucketsOf(settings: RunSettings): string[] {
  return targetsOf(settings).map(({ bucket }) => bucket);
}

/** Which of the run's targets a bucket is; -1 where it is none. */
export function targetAt(settings: RunSettings, bucket: string): number {
  return bucketsOf(settings).indexOf(bucket);
}

/** The run once for each of its targets, as that target sees it. */
export function eachTarget(run: RunRecord): RunRecord[] {
  return targetsOf(run.settings).map((_, at) => runFor(run, at));
}

export function runFor(run: RunRecord, at: number): RunRecord {
  const { settings, summary } = run;
  const target = targetsOf(settings)[at];
  if (settings.otherTargets.length === 0 || !target) return run;
  return {
    ...run,
    settings: { ...settings, target: target.bucket, projection: target.projection, otherTargets: [] },
    backup: at === 0 ? run.backup : (run.otherBackups[at - 1] ?? null),
    otherBackups: [],
    summary: summary && { ...summary, ...summary.targets?.[at], targets: undefined },
  };
}

export function planFor(plan: Plan, at: number): Plan {
  const { otherTargets, ...rest } = plan;
  if (!otherTargets) return plan;
  return { ...rest, target: otherTargets[at - 1] ?? plan.target };
}

export function unitFor(unit: UnitRecord, at: number): UnitRecord {
  const { otherTargets, live } = unit;
  if (otherTargets.length === 0) return unit;
  const { byTarget, ...shared } = live;
  return { ...unit, ...otherTargets[at - 1], otherTargets: [], live: { ...shared, ...byTarget?.[at] } };
}

/** Of each target by itself, in the run's order. */
export function figuresByTarget(unit: UnitRecord): [FoldFigures, ...FoldFigures[]] {
  return [unit, ...unit.otherTargets];
}

/** Events that the unit has put away, of all targets; of a running one also what is not durable yet. */
export function quarantinedBy(unit: UnitRecord): number {
  const durable = figuresByTarget(unit).reduce((sum, { counts }) => sum + counts.quarantined, 0);
  return unit.state === "running" ? Math.max(durable, unit.live.quarantined) : durable;
}

/** Entries that the unit's write has dealt with, of all targets. */
export function entriesDoneBy(unit: UnitRecord): number {
  return figuresByTarget(unit).reduce((sum, { entries }) => sum + entries.written + entries.unchanged, 0);
}
