import type { UnitRecord } from "./unit.ts";

/** One aggregate with so many events that its unit cannot end before they are folded, one after another. */
export interface HotAggregate {
  readonly aggregateId: string;
  readonly events: number;
  /** Of the run's events so far, 0 to 1. */
  readonly share: number;
}

const LEAST_EVENTS = 1_000;
const LEAST_SHARE = 0.1;
const LEAST_TIMES_THE_MEAN = 10;

/** By what units have made durable; null where events are spread well enough, or too few to say. */
export function hotAggregate(units: readonly UnitRecord[]): HotAggregate | null {
  const found = units.map(({ hottest }) => hottest).filter((hottest) => hottest !== null);
  const [first, ...others] = found;
  if (!first) return null;
  const hottest = others.reduce((a, b) => (b.events > a.events ? b : a), first);
  const events = units.reduce((sum, { counts }) => sum + counts.applied, 0);
  const aggregates = units.reduce((sum, unit) => sum + aggregatesIn(unit), 0);
  const share = hottest.events / Math.max(1, events);
  const isHot = share >= LEAST_SHARE && hottest.events * aggregates >= events * LEAST_TIMES_THE_MEAN;
  return isHot && hottest.events >= LEAST_EVENTS ? { ...hottest, share: Math.min(1, share) } : null;
}

function aggregatesIn({ checkpoints, aggregatesByPartition, otherTargets }: UnitRecord): number {
  const atEnd = aggregatesByPartition.reduce((sum, count) => sum + count, 0);
  // A checkpoint counts the states of all targets.
  return atEnd > 0 ? atEnd : Math.round((checkpoints.at(-1)?.aggregates ?? 0) / (1 + otherTargets.length));
}
