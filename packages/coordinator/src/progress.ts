import {
  entriesDoneBy,
  type HotAggregate,
  hotAggregate,
  type Plan,
  quarantinedBy,
  type RunRecord,
  type UnitRecord,
} from "@cim-replay/core";
import type { Ledger, LiveReport, NatsClient } from "@cim-replay/nats";
import { lastPinnedTime } from "./last-pinned-time.ts";
import { type Rates, SlidingRates, STILL } from "./sliding-rates.ts";
import { withHeirs } from "./stragglers.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { ReplayError } from "@cim-replay/core";

interface StateCounts {
  readonly total: number;
  readonly done: number;
  readonly running: number;
  readonly pending: number;
  readonly failed: number;
}

export interface StageMicros {
  readonly fetch: number;
  readonly fold: number;
  readonly checkpoint: number;
  readonly write: number;
}

/** What is known of a run at one moment. Durable figures are what a crash would leave; read ones are hoped for. */
export interface Progress {
  readonly run: RunRecord;
  readonly plan: Plan;
  /** Those that fold. */
  readonly units: StateCounts;
  /** Those that pack slices for them; null where the units read the stream themselves. */
  readonly slices: StateCounts | null;
  /** Of the domain, within the range; messages of the stream where subjects do not tell. */
  readonly totalEvents: number;
  readonly durableEvents: number;
  readonly readEvents: number;
  readonly appliedEvents: number;
  readonly eventsPerSecond: number;
  /** Age of the last event applied against the last that was pinned; null before there is one. */
  readonly lagSeconds: number | null;
  readonly etaSeconds: number | null;
  /** Events in the quarantine, and units that failed for other reasons. */
  readonly errors: number;
  readonly entriesWritten: number;
  readonly entriesTotal: number | null;
  /** That have a unit at work. */
  readonly workers: number;
  /** The largest of the workers. */
  readonly memoryBytes: number;
  readonly inFlightBytes: number;
  /** Summed over units at work, since each began. */
  readonly stageMicros: StageMicros;
  /** Lost consumers and connections that readers mended. */
  readonly recoveries: number;
  /** By the run's coordinator, since it began; null for whoever watches from outside. */
  readonly unitsResent: number | null;
  readonly checkpoints: number;
  /** By what is durable; null where there is none. */
  readonly hot: HotAggregate | null;
}

const NO_STAGES: StageMicros = { fetch: 0, fold: 0, checkpoint: 0, write: 0 };

/** Puts together what the ledger and, where there are any, the workers' own live reports say. */
export function progressOf(
  run: RunRecord,
  plan: Plan,
  units: readonly UnitRecord[],
  more: Rates & {
    live?: readonly LiveReport[];
    lastPinnedAtMs: number | null;
    unitsResent?: number;
  },
): Progress {
  const epochs = new Map(units.map(({ id, epoch }) => [id, epoch]));
  // What an older epoch says is not true any more.
  const current = (more.live ?? []).filter((report) => report.epoch === epochs.get(report.unit));
  const live = new Map(current.map((report) => [report.unit, report]));
  const totalEvents = plan.expected ? expectedInRange(plan) : plan.read.messages;
  const durableEvents = Math.min(totalEvents, sum(units, durableOf));
  const readEvents = Math.max(
    durableEvents,
    Math.min(
      totalEvents,
      sum(units, (unit) => readOf(unit, live.get(unit.id))),
    ),
  );
  const reports = [...live.values()];
  const lastEvents = units.map((unit) => live.get(unit.id)?.lastEventAtMs ?? unit.live.lastEventAtMs);
  const entriesWritten = sum(units, entriesOf(live));
  const entriesTotal = plan.expected && plan.expected.aggregates * (1 + (plan.otherTargets?.length ?? 0));
  const running = units.filter((unit) => unit.state === "running");
  return {
    run,
    plan,
    units: countStates(units.filter(({ kind }) => kind === "partition")),
    slices: plan.source.kind === "shuffle" ? countStates(units.filter(({ kind }) => kind === "slice")) : null,
    totalEvents,
    durableEvents,
    readEvents,
    appliedEvents: sum(
      units,
      (unit) => (unit.state === "running" ? live.get(unit.id)?.applied : null) ?? appliedOf(unit),
    ),
    eventsPerSecond: more.eventsPerSecond,
    lagSeconds: lagOf(lastEvents, more.lastPinnedAtMs),
    etaSeconds: secondsLeft(more, { events: totalEvents - readEvents, entriesTotal, entriesWritten }),
    errors:
      sum(units, quarantinedBy) + units.filter((unit) => unit.failure && unit.failure.kind !== "bad-events").length,
    ...{ entriesWritten, entriesTotal },
    workers: new Set(running.map((unit) => unit.owner)).size,
    memoryBytes: Math.max(0, ...running.map((unit) => live.get(unit.id)?.memoryBytes ?? unit.live.memoryBytes)),
    inFlightBytes: sum(reports, (report) => report.inFlightBytes),
    stageMicros: reports.reduce((total, report) => addStages(total, report.stageMicros), NO_STAGES),
    recoveries: sum(reports, (report) => report.recoveries),
    unitsResent: more.unitsResent ?? null,
    checkpoints: sum(units, (unit) => unit.checkpoints.at(-1)?.number ?? 0),
    hot: hotAggregate(units),
  };
}

/** Of what is at work now: entries are written when a unit's events are all read, and nobody knows their rate before. */
function secondsLeft(
  { eventsPerSecond, entriesPerSecond }: Rates,
  left: { events: number; entriesTotal: number | null; entriesWritten: number },
): number | null {
  if (left.events > 0) return eventsPerSecond > 0 ? left.events / eventsPerSecond : null;
  if (left.entriesTotal === null || entriesPerSecond <= 0) return null;
  return Math.max(0, left.entriesTotal - left.entriesWritten) / entriesPerSecond;
}

/** From the ledger, for whoever watches from outside. Looks twice where the run is at work, to know its rate. */
export async function readProgress(client: NatsClient, ledger: Ledger, runId: string): Promise<Progress> {
  const first = await lookAtRun(ledger, runId);
  if (first.run.state !== "running") {
    return progressOf(first.run, first.plan, first.units, { ...STILL, lastPinnedAtMs: null });
  }
  const [lastPinnedAtMs] = await Promise.all([lastPinnedTime(client, first.run, first.plan), sleep(1_100)]);
  const second = await lookAtRun(ledger, runId);
  const rates = new SlidingRates(Number.POSITIVE_INFINITY);
  const see = ({ units, at }: { units: readonly UnitRecord[]; at: number }) => {
    const events = sum(units, (unit) => readOf(unit, undefined));
    return rates.see({ events, entries: sum(units, entriesOf(new Map())) }, at);
  };
  see(first);
  return progressOf(second.run, second.plan, second.units, { ...see(second), lastPinnedAtMs });
}

/** A run, its plan and its units as the ledger has them. Throws ReplayError where it has none of that id. */
export async function lookAtRun(ledger: Ledger, runId: string, knownPlan: Plan | null = null) {
  const [run, pinned, found] = await Promise.all([
    ledger.getRun(runId),
    knownPlan ?? ledger.getPlan(runId),
    ledger.listUnits(runId),
  ]);
  if (!run || !pinned)
    throw new ReplayError(`Cannot show run ${runId}: the ledger has none of that id. See \`replay-list\`.`);
  const { plan, units } = withHeirs(
    pinned,
    found.map(({ record }) => record),
  );
  return { run: run.record, pinned, plan, units, at: performance.now() };
}

/** Messages that a unit has dealt with for its own partitions. */
export function ownEvents(counts: UnitRecord["counts"]): number {
  return counts.delivered - counts.foreign - counts.elsewhere - counts.alreadyApplied;
}

function countStates(units: readonly UnitRecord[]): StateCounts {
  const count = (state: UnitRecord["state"]) => units.filter((unit) => unit.state === state).length;
  return {
    total: units.length,
    done: count("done"),
    running: count("running"),
    pending: count("pending"),
    failed: count("failed"),
  };
}

function expectedInRange(plan: Plan): number {
  const events = plan.expected?.events ?? 0;
  return Math.min(events, plan.read.messages);
}

function durableOf(unit: UnitRecord): number {
  return ownEvents(unit.counts);
}

function readOf(unit: UnitRecord, live: LiveReport | undefined): number {
  if (unit.state !== "running") return durableOf(unit);
  return Math.max(durableOf(unit), live?.applied ?? unit.live.applied);
}

function appliedOf(unit: UnitRecord): number {
  return unit.state === "running" ? Math.max(unit.live.applied, unit.counts.applied) : unit.counts.applied;
}

function entriesOf(live: ReadonlyMap<string, LiveReport>) {
  return (unit: UnitRecord) =>
    unit.state === "running" ? (live.get(unit.id)?.entriesWritten ?? unit.live.entriesWritten) : entriesDoneBy(unit);
}

function lagOf(lastEventsMs: readonly (number | null)[], lastPinnedAtMs: number | null): number | null {
  const known = lastEventsMs.filter((at) => at !== null);
  if (known.length === 0 || lastPinnedAtMs === null) return null;
  return Math.max(0, (lastPinnedAtMs - Math.min(...known)) / 1000);
}

function addStages(a: StageMicros, b: StageMicros): StageMicros {
  return {
    fetch: a.fetch + b.fetch,
    fold: a.fold + b.fold,
    checkpoint: a.checkpoint + b.checkpoint,
    write: a.write + b.write,
  };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
