import {
  bucketsOf,
  errorMessage,
  hotAggregate,
  moveRun,
  type Plan,
  planFor,
  ReplayError,
  runFor,
  type RunRecord,
  type RunSummary,
  type TargetSummary,
  targetsOf,
  traced,
  unitFor,
  type UnitRecord,
  UnreachableError,
} from "@cim-replay/core";
import { CheckpointStore } from "@cim-replay/nats";
import type { ReplayContext } from "./context.ts";
import { findOrphans, NO_ORPHANS, type Orphans } from "./orphans.ts";
import { ownEvents } from "./progress.ts";
import { reconcile } from "./reconcile.ts";
import { CALLED_OFF, whileVerifying } from "./while-verifying.ts";

/** What an independent look at a run found; `reason` says why it does not hold. */
export interface CertificateVerdict extends NonNullable<RunSummary["certificate"]> {
  readonly reason: string | null;
}

/**
 * Looks at a run that says of itself that it is done. Not this package's work: who checks is not who did it. Where `signal`
 * aborts, it stops and keeps nothing.
 */
export type CertifyRun = (
  run: RunRecord,
  plan: Plan,
  units: readonly UnitRecord[],
  signal: AbortSignal,
) => Promise<CertificateVerdict>;

/**
 * Closes the books of a run whose units have settled: `completed` only where everything adds up, and `certify` (null: nobody
 * is asked) says so too. Where somebody pauses or cancels the run meanwhile, or `interruption` aborts, nobody waits for what
 * is looked at, and the run is returned as it is: resumed, it is looked at again.
 */
export async function endRun(
  ctx: ReplayContext,
  run: RunRecord,
  plan: Plan,
  units: readonly UnitRecord[],
  { certify, interruption }: { certify: CertifyRun | null; interruption: AbortSignal },
): Promise<RunRecord> {
  const failed = failureOf(run, units);
  if (failed) return close(ctx, run, units, { state: "failed", reason: failed });
  const verifying = await ctx.ledger.changeRun(run.id, (record) =>
    record.state === "running" ? moveRun(record, "verifying") : null,
  );
  if (verifying.state !== "verifying") return verifying;
  try {
    const found = await whileVerifying({ ledger: ctx.ledger, runId: run.id, interruption }, async (signal) => {
      await reconcile(ctx.client, plan, units);
      signal.throwIfAborted();
      const verdict = await traced("verify", { "cim_replay.level": run.settings.certify }, async (span) => {
        const found = (await certify?.(verifying, plan, units, signal)) ?? null;
        if (found) span.setAttribute("cim_replay.holds", found.holds);
        return found;
      });
      // Orphans are removed last: where the run is not proved, nobody knows that they are some.
      const isProved = verdict?.holds !== false;
      return {
        verdict,
        orphans: isProved ? await orphansByTarget(ctx, verifying, plan, units, signal) : [],
      };
    });
    if (found === CALLED_OFF) return (await ctx.ledger.getRun(run.id))?.record ?? verifying;
    const { verdict, orphans } = found;
    if (verdict?.holds === false) {
      return await close(ctx, verifying, units, { state: "failed", reason: verdict.reason, verdict });
    }
    await forgetCheckpoints(ctx, run.id);
    return await close(ctx, verifying, units, { state: "completed", reason: null, orphans, verdict });
  } catch (error) {
    // Not to be told apart from a stream that is right: the run stays as it is, and can be resumed.
    if (!(error instanceof ReplayError) || error instanceof UnreachableError) throw error;
    return close(ctx, verifying, units, { state: "failed", reason: errorMessage(error) });
  }
}

/** One target after the other: as with runs of their own, what is an orphan in one is none in another. */
async function orphansByTarget(
  { client }: ReplayContext,
  run: RunRecord,
  plan: Plan,
  units: readonly UnitRecord[],
  signal: AbortSignal,
): Promise<Orphans[]> {
  const found: Orphans[] = [];
  for (const at of targetsOf(run.settings).keys()) {
    const seen = units.map((unit) => unitFor(unit, at));
    found.push(await findOrphans(client, runFor(run, at), planFor(plan, at), seen, signal));
  }
  return found;
}

/** Ends a run that its units cannot end. */
export function failRun(
  ctx: ReplayContext,
  run: RunRecord,
  units: readonly UnitRecord[],
  reason: string,
): Promise<RunRecord> {
  return close(ctx, run, units, { state: "failed", reason });
}

/** Nobody goes on with a run that is completed or cancelled. Failing to tidy up is no failure of the run. */
export async function forgetCheckpoints(ctx: ReplayContext, runId: string): Promise<void> {
  try {
    const checkpoints = await CheckpointStore.open(ctx.client, { create: true });
    await checkpoints.purge(runId);
  } catch (error) {
    ctx.log.warn({ run: runId, error: errorMessage(error) }, "checkpoints are left behind; they age out by themselves");
  }
}

function failureOf(run: RunRecord, units: readonly UnitRecord[]): string | null {
  const fatal = units.find((unit) => unit.failure && unit.failure.kind !== "bad-events");
  if (fatal?.failure) return `Unit ${fatal.id}: ${fatal.failure.message}`;
  const texts = targetsOf(run.settings).map(({ bucket, projection }, at) => {
    const text = badEventsIn(
      run,
      units.map((unit) => unitFor(unit, at)),
    );
    return text && run.settings.otherTargets.length > 0 ? `${projection.name} into ${bucket}: ${text}` : text;
  });
  const bad = texts.filter((text) => text !== null);
  return bad.length > 0 ? bad.join(" ") : null;
}

/** Why what one target has put away is too much; null where it is not. */
function badEventsIn(run: RunRecord, units: readonly UnitRecord[]): string | null {
  const quarantined = units.reduce((sum, unit) => sum + unit.counts.quarantined, 0);
  const first = Math.min(...units.map((unit) => unit.firstParkedSeq ?? Number.POSITIVE_INFINITY));
  const parked = Number.isFinite(first);
  if (!parked && quarantined <= run.settings.skipErrors) return null;
  const aggregates = units.reduce((sum, unit) => sum + unit.parkedAggregates, 0);
  const where = parked ? `, the first at sequence ${first}` : "";
  const all = `See \`replay-status --run ${run.id} --show-errors\`; mend the cause, or \`event-replay --resume --skip-errors ${quarantined}\`.`;
  if (aggregates === 0 && parked === false) {
    return `${quarantined} events were skipped, and --skip-errors allows ${run.settings.skipErrors} in all. ${all}`;
  }
  return `${quarantined} events cannot be taken${where}; ${aggregates} aggregates are parked there and keep their old entries. ${all}`;
}

interface Ending {
  readonly state: "completed" | "failed";
  readonly reason: string | null;
  /** By target. */
  readonly orphans?: readonly Orphans[];
  readonly verdict?: CertificateVerdict | null;
}

async function close(
  ctx: ReplayContext,
  run: RunRecord,
  units: readonly UnitRecord[],
  ending: Ending,
): Promise<RunRecord> {
  return ctx.ledger.changeRun(run.id, (record) =>
    record.state === run.state
      ? {
          ...moveRun(record, ending.state, ending.reason),
          endedAt: new Date().toISOString(),
          summary: summarise(record, units, ending),
        }
      : null,
  );
}

function summarise(run: RunRecord, units: readonly UnitRecord[], { orphans = [], verdict }: Ending): RunSummary {
  const sum = (of: (unit: UnitRecord) => number) => units.reduce((total, unit) => total + of(unit), 0);
  const targets = targetsOf(run.settings).map((_, at) =>
    targetSummary(
      units.map((unit) => unitFor(unit, at)),
      orphans[at] ?? NO_ORPHANS,
    ),
  );
  const all = (of: (target: TargetSummary) => number) => targets.reduce((total, target) => total + of(target), 0);
  const seconds = (Date.now() - Date.parse(run.startedAt ?? run.createdAt)) / 1000;
  const events = sum((unit) => ownEvents(unit.counts));
  return {
    events,
    // Every target has the same ones, but for those whose first event only some could take.
    aggregates: Math.max(...targets.map(({ aggregates }) => aggregates)),
    quarantined: all(({ quarantined }) => quarantined),
    entriesWritten: all(({ entriesWritten }) => entriesWritten),
    entriesUnchanged: all(({ entriesUnchanged }) => entriesUnchanged),
    orphans: all((target) => target.orphans),
    pruned: all(({ pruned }) => pruned),
    seconds,
    eventsPerSecond: seconds > 0 ? events / seconds : 0,
    findings: [...aboutHot(units), ...findings(run, sum, orphans)],
    certificate: verdict ? { level: verdict.level, holds: verdict.holds, discrepancies: verdict.discrepancies } : null,
    ...(targets.length > 1 && { targets }),
  };
}

function targetSummary(units: readonly UnitRecord[], orphans: Orphans): TargetSummary {
  const sum = (of: (unit: UnitRecord) => number) => units.reduce((total, unit) => total + of(unit), 0);
  return {
    aggregates: sum((unit) => unit.aggregatesByPartition.reduce((total, count) => total + count, 0)),
    quarantined: sum((unit) => unit.counts.quarantined),
    entriesWritten: sum((unit) => unit.entries.written),
    entriesUnchanged: sum((unit) => unit.entries.unchanged),
    orphans: orphans.total,
    pruned: orphans.pruned,
  };
}

function aboutHot(units: readonly UnitRecord[]): string[] {
  const hot = hotAggregate(units);
  if (!hot) return [];
  const percent = Math.round(hot.share * 100);
  return [`aggregate ${hot.aggregateId} has ${percent} % of all events: one worker folds them, one after another`];
}

/** Oddities that are no failure, in words. */
function findings(
  run: RunRecord,
  sum: (of: (unit: UnitRecord) => number) => number,
  orphans: readonly Orphans[],
): string[] {
  const said: string[] = [];
  const say = (count: number, what: string) => {
    if (count > 0) said.push(`${count} ${what}`);
  };
  say(
    sum((unit) => unit.counts.tornChains),
    "events whose previous content id is not the one before them",
  );
  say(
    sum((unit) => unit.counts.sequenceFalls),
    "events whose envelope sequence does not rise",
  );
  say(
    sum((unit) => unit.counts.sequenceGaps),
    "gaps in envelope sequences",
  );
  say(
    sum((unit) => unit.counts.repeatedIds),
    "repeated event ids",
  );
  say(
    sum((unit) => unit.counts.filtered),
    run.settings.filter === null ? "events outside the requested times" : "events filtered by request",
  );
  say(
    sum((unit) => unit.counts.undecided),
    "of them because the filter's condition cannot be evaluated on them",
  );
  say(
    sum((unit) => unit.counts.timesApart),
    "events that --time-basis would place on the other side",
  );
  for (const [at, found] of orphans.entries()) {
    const where = orphans.length > 1 ? ` in ${bucketsOf(run.settings)[at]}` : "";
    const named = found.keys.join(", ") + (found.total > found.keys.length ? ", …" : "");
    const prune = found.hindrance === null ? "--prune removes them" : `--prune leaves them, since ${found.hindrance}`;
    say(found.total - found.pruned, `entries${where} that no event accounts for, kept (${named}); ${prune}`);
    say(found.pruned, `entries${where} that no event accounts for, removed`);
    say(found.spared, `entries${where} kept as they were: all events of their aggregates were skipped`);
    say(found.expired, `entries${where} kept as they were: their events have gone from the front of the stream`);
  }
  return said;
}
