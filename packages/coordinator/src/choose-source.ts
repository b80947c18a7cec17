import {
  assignPartitions,
  chooseUnits,
  letsUnitsBeSplit,
  type Load,
  type Plan,
  type RunSettings,
  type SequenceRange,
  type StepCosts,
  shuffleSeconds,
  tileSlices,
} from "@cim-replay/core";

/** Shuffling must promise this share of the time and so much less of it: it stores every event once more. */
const WORTH_SHUFFLING = 0.75;
const LEAST_GAIN_SECONDS = 2;
/** Sequences of a slice: small enough that a gap is named closely, large enough that records stay small. */
const DIRECT_SLICE = 1_000_000;
const MAX_DIRECT_SLICES = 1_000;
/** A slice is what a lost worker costs, and what the first unit waits for; each has a record that is looked at often. */
const SHUFFLE_SLICE = 250_000;
const LEAST_SHUFFLE_SLICE = 100;
const MAX_SHUFFLE_SLICES = 64;
const SLICES_A_CORE = 2;

/** Partitions of one unit among others, so that one which lags can be split, and its halves again. */
const PARTITIONS_A_UNIT = 4;
/** Each has a row in plan, records and certificate. */
const MANY_PARTITIONS = 256;

type Asked = Pick<RunSettings, "source" | "units" | "aggregateId">;

export interface SourceChoice {
  readonly source: Plan["source"];
  readonly units: number;
  readonly seconds: number;
}

/** Direct or shuffle, and with how many units: what is asked for, else what costs less time by the estimate. */
export function chooseSource(load: Load, asked: Asked, read: Plan["read"], costs: StepCosts): SourceChoice {
  const direct = chooseUnits(load, costs);
  const shuffled = shuffleSeconds(load, costs);
  const units = Math.min(asked.units ?? load.maxUnits, load.maxUnits);
  const byWayOfSegments = `read once and packed for ${units} units, about ${shuffled.toFixed(1)} s`;
  if (mayShuffle(asked) && asked.source === "shuffle") {
    return { source: { kind: "shuffle", reason: `${byWayOfSegments}, as --source asks` }, units, seconds: shuffled };
  }
  const obstacle = obstacleTo(asked, read, load);
  const isWorth =
    shuffled < direct.seconds * WORTH_SHUFFLING && direct.seconds - shuffled >= LEAST_GAIN_SECONDS && obstacle === null;
  if (isWorth && asked.source === "auto") {
    const reason = `${byWayOfSegments} on ${load.cores} cores; every unit reading by itself, ${direct.reason}`;
    return { source: { kind: "shuffle", reason }, units, seconds: shuffled };
  }
  const own = asked.units === null ? direct.reason : `${units} units, as --units asks`;
  const other =
    asked.source === "direct" ? "as --source asks" : (obstacle ?? `shuffled about ${shuffled.toFixed(1)} s`);
  return {
    source: { kind: "direct", reason: `${own}; ${other}` },
    units: asked.units === null ? direct.units : units,
    seconds: direct.seconds,
  };
}

/** One aggregate's events go to one unit, and the server finds them by their subject: that is never shuffled, whatever is asked. */
export function mayShuffle({ aggregateId }: Pick<RunSettings, "aggregateId">): boolean {
  return aggregateId === null;
}

/** Why shuffling is not thought of. */
function obstacleTo(asked: Asked, { filterSubjects }: Plan["read"], { maxUnits }: Load): string | null {
  if (!mayShuffle(asked)) return "one aggregate is not shuffled";
  if (filterSubjects.length > 0) return "what the server filters is not shuffled";
  if (maxUnits === 1) return "one partition is not shuffled";
  return asked.units === null ? null : "not shuffled unless --source asks";
}

/** How many partitions the run has at most: more than `--parallel` only where units may be split (see `stragglers.ts`). */
export function mostPartitions(
  { source, units }: SourceChoice,
  settings: Pick<RunSettings, "parallel" | "units" | "continueFromEntries" | "checkpointInterval">,
): number {
  const { parallel, checkpointInterval } = settings;
  const mayBeSplit = letsUnitsBeSplit(settings) && checkpointInterval !== null;
  const readsAlone = source.kind === "direct" && units === 1;
  if (!mayBeSplit || readsAlone) return parallel;
  return Math.max(parallel, Math.min(units * PARTITIONS_A_UNIT, MANY_PARTITIONS));
}

/** Who folds what, and, where events are shuffled, who packs which slice. */
export function cutWork(
  { source, units }: SourceChoice,
  partitions: Plan["partitions"],
  range: SequenceRange,
  cores: number,
): Pick<Plan, "source" | "slices" | "units" | "sliceUnits"> {
  const size = Math.max(1, range.toSeq - range.fromSeq + 1);
  const planned = { source, units: assignPartitions(partitions, units) };
  if (source.kind === "direct") {
    const slices = tileSlices(range, Math.max(DIRECT_SLICE, Math.ceil(size / MAX_DIRECT_SLICES)));
    return { ...planned, slices, sliceUnits: [] };
  }
  const wanted = Math.max(Math.ceil(size / SHUFFLE_SLICE), SLICES_A_CORE * cores);
  const count = Math.min(wanted, MAX_SHUFFLE_SLICES, Math.ceil(size / LEAST_SHUFFLE_SLICE));
  const slices = tileSlices(range, Math.ceil(size / count));
  return { ...planned, slices, sliceUnits: slices.map((_, slice) => ({ id: `s${slice}`, slice })) };
}
