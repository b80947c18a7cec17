import type { RunRecord } from "@cim-replay/core";
import type { LiveConsumer, LiveSignals } from "@cim-replay/nats";

/** One look at the server and the run; `signals` is null where the server did not answer in time. */
export interface Look {
  readonly atMs: number;
  readonly signals: LiveSignals | null;
  /** What the run does now. */
  readonly eventsPerSecond: number;
}

/** What is remembered between two looks. */
export interface AdaptiveState {
  /** Events a second; null: as many as the workers can. */
  readonly maxRate: number | null;
  /** Why it is limited, for people; null where it is not. */
  readonly reason: string | null;
  /** The best round trip, which is forgotten slowly. */
  readonly usualMs: number | null;
  readonly lastMs: readonly number[];
  readonly looks: readonly { readonly atMs: number; readonly consumers: ReadonlyMap<string, LiveConsumer> }[];
  /** The most that the run has done: what is added and where the floor lies are parts of it. */
  readonly peak: number;
  readonly changedAtMs: number;
}

/** A change is given so long to show what it does. */
const BETWEEN_CHANGES_MS = 2_000;
const COMPARED_OVER_MS = 2_000;
const SLOWED_BY = 0.5;
const ADDED_OF_PEAK = 0.05;
const FLOOR_OF_PEAK = 0.02;
const LEAST_RATE = 50;
const SLOW_TIMES = 5;
/** What is below is no suffering, however fast it was before. */
const SLOW_MS = 50;
const MEDIAN_OF = 5;
const FORGOTTEN_A_LOOK = 1.01;
/** As many wait now and then with anybody. */
const PENDING_RISE = 100;

export const UNLIMITED: AdaptiveState = {
  ...{ maxRate: null, reason: null, usualMs: null, lastMs: [], looks: [], peak: 0 },
  changedAtMs: Number.NEGATIVE_INFINITY,
};

/**
 * Additive increase, multiplicative decrease: the rate is halved while others suffer, and a twentieth of the best is added
 * while nobody does. Never below a fiftieth of the best, never above `ceiling`, above which nothing is limited.
 */
export function adapt(before: AdaptiveState, look: Look, ceiling: number | null = null): AdaptiveState {
  const seen = remember(before, look);
  if (look.atMs - before.changedAtMs < BETWEEN_CHANGES_MS) return seen;
  const suffering = whoSuffers(seen, look);
  // Where the run has done nothing yet, it is nobody's trouble.
  if (suffering !== null) return seen.peak === 0 ? seen : slowed(seen, look, suffering);
  return before.maxRate === null ? seen : faster(seen, look, ceiling);
}

/** What of it stands in the run's record. */
export function stated({ maxRate, reason, peak }: AdaptiveState): NonNullable<RunRecord["adaptive"]> {
  return { maxRate, reason, peak: maxRate === null ? null : Math.max(1, Math.round(peak)) };
}

/** As a coordinator that is gone has left it: held back as before, and not faster before that had time to show. */
export function resumed(record: RunRecord["adaptive"], atMs: number): AdaptiveState {
  if (!record || record.maxRate === null) return UNLIMITED;
  const { maxRate, reason, peak } = record;
  return { ...UNLIMITED, maxRate, reason, peak: peak ?? maxRate, changedAtMs: atMs };
}

function remember(before: AdaptiveState, { atMs, signals, eventsPerSecond }: Look): AdaptiveState {
  const peak = Math.max(before.peak, before.maxRate ?? 0, eventsPerSecond);
  if (!signals) return { ...before, peak };
  const { apiMs, consumers } = signals;
  const usualMs = Math.min(apiMs, (before.usualMs ?? apiMs) * FORGOTTEN_A_LOOK);
  // One that is old enough to be compared with stays.
  const recent = before.looks.filter((_, at, all) => atMs - (all[at + 1]?.atMs ?? atMs) < COMPARED_OVER_MS);
  const looks = [...recent, { atMs, consumers: new Map(consumers.map((each) => [each.name, each])) }];
  return { ...before, peak, usualMs, lastMs: [...before.lastMs, apiMs].slice(-MEDIAN_OF), looks };
}

function whoSuffers(state: AdaptiveState, { signals, atMs }: Look): string | null {
  if (!signals) return "JetStream does not answer";
  const { lastMs, usualMs, looks } = state;
  const median = lastMs.toSorted((a, b) => a - b)[lastMs.length >> 1] ?? 0;
  if (lastMs.length === MEDIAN_OF && median > Math.max(SLOW_MS, (usualMs ?? 0) * SLOW_TIMES)) {
    return `JetStream answers in ${Math.round(median)} ms, at best in ${Math.round(usualMs ?? 0)} ms`;
  }
  const then = looks.find((look) => atMs - look.atMs >= COMPARED_OVER_MS);
  for (const now of signals.consumers) {
    const earlier = then?.consumers.get(now.name);
    if (earlier && isFallingBehind(earlier, now)) {
      return `consumer ${now.name} falls behind: ${now.pending} messages wait for it, ${earlier.pending} before`;
    }
  }
  return null;
}

/** One that nobody takes from falls behind whatever we do. */
function isFallingBehind(earlier: LiveConsumer, now: LiveConsumer): boolean {
  const isAlive = now.isAwaited || now.progress > earlier.progress;
  return isAlive && now.pending - earlier.pending > PENDING_RISE;
}

function slowed(state: AdaptiveState, { atMs, eventsPerSecond }: Look, reason: string): AdaptiveState {
  const from = Math.min(state.maxRate ?? Number.POSITIVE_INFINITY, Math.max(eventsPerSecond, floorOf(state)));
  const maxRate = Math.round(Math.max(floorOf(state), from * SLOWED_BY));
  return { ...state, maxRate, reason, changedAtMs: atMs };
}

function faster(state: AdaptiveState, { atMs }: Look, ceiling: number | null): AdaptiveState {
  const maxRate = Math.round((state.maxRate ?? 0) + Math.max(LEAST_RATE, state.peak * ADDED_OF_PEAK));
  if (maxRate > Math.min(state.peak, ceiling ?? Number.POSITIVE_INFINITY)) {
    return { ...state, maxRate: null, reason: null, changedAtMs: atMs };
  }
  return { ...state, maxRate, changedAtMs: atMs };
}

function floorOf({ peak }: AdaptiveState): number {
  return Math.max(LEAST_RATE, Math.round(peak * FLOOR_OF_PEAK));
}
