import {
  bucketsOf,
  errorMessage,
  type FoldFigures,
  type Log,
  moveUnit,
  type Plan,
  ratesOf,
  ReplayError,
  SupersededError,
  traced,
  type UnitRecord,
  UnreachableError,
} from "@cim-replay/core";
import { bucketStream, type NatsClient, onLive, PermissionDeniedError } from "@cim-replay/nats";
import { DirectSource, pinnedDeletions } from "./direct-source.ts";
import { openAttempt, openPartitions, type UnitServices } from "./open-attempt.ts";
import { NotPackedError } from "./shuffle/packed-slices.ts";
import { SegmentSource } from "./shuffle/segment-source.ts";
import { SlicePass } from "./shuffle/slice-pass.ts";
import { RunStoppedError, UnitClaim } from "./unit-claim.ts";
import type { AttemptContext, AttemptPass, UnitContext } from "./unit-context.ts";
import { UnitPass } from "./unit-pass.ts";
import type { OpenSource } from "./unit-source.ts";
import { type EntriesWritten, writeEntries } from "./write-entries.ts";

/** What the outside may see and ask of a unit at work. */
export interface UnitAttempt {
  readonly context: AttemptContext;
  pass: AttemptPass | null;
  /** By target, in the run's order. */
  readonly entriesWritten: number[];
}

/** The worker is told to leave: its units are given back at a checkpoint. */
export class WorkerStoppingError extends ReplayError {
  override readonly name = "WorkerStoppingError";
}

/**
 * Does one unit: claim → read (fetch, decode, fold, checkpoint) → write entries → done; or, where it is a slice unit, claim →
 * fetch, route, pack, store → done. Returns when the unit is done, failed, given back, or somebody else's; whatever happened
 * stands in the ledger.
 */
export async function runUnit(
  services: UnitServices,
  job: { runId: string; unit: string },
  signal: AbortSignal,
  onAttempt: (attempt: UnitAttempt | null) => void,
): Promise<void> {
  const run = await services.ledger.getRun(job.runId);
  if (run && run.record.state !== "running") return;
  const claim = await UnitClaim.take(services.ledger, job, services.workerId, services.log);
  if (!claim) return;
  const log = services.log.child({ run: job.runId, unit: job.unit, epoch: claim.record.epoch });
  log.info({ fromSeq: claim.record.cursorSeq + 1 }, "unit claimed");
  let attempt: UnitAttempt | null = null;
  let stopListening = () => {};
  try {
    const context = await openAttempt(services, job, claim, signal, log);
    const at: UnitAttempt = { context, pass: null, entriesWritten: [] };
    attempt = at;
    onAttempt(attempt);
    const { pace } = attempt.context;
    claim.start(liveOf(attempt), (current) => pace.limit(ratesOf(current)));
    stopListening = onLive(services.client, job.runId, ({ unit }) => pace.heard(unit));
    const { run, plan } = attempt.context;
    const spanOf = { "cim_replay.run": job.runId, "cim_replay.unit": job.unit, "cim_replay.epoch": claim.record.epoch };
    await traced(
      "unit",
      { ...spanOf, "cim_replay.domain": plan.domain, "cim_replay.target": bucketsOf(run.settings).join(",") },
      async () => {
        if (claim.record.kind === "slice") await packSlice(services, context, at);
        else await foldPartitions(services, await openPartitions(services, context), at);
      },
    );
    log.info({}, "unit finished");
  } catch (error) {
    await endAfter(error, claim, attempt, log);
  } finally {
    claim.stop(new SupersededError("This attempt has ended."));
    stopListening();
    attempt?.pass?.close();
    onAttempt(null);
  }
}

async function packSlice(services: UnitServices, context: AttemptContext, attempt: UnitAttempt): Promise<void> {
  const { plan, claim } = context;
  const at = plan.sliceUnits.find(({ id }) => id === claim.record.id)?.slice ?? -1;
  const slice = plan.slices[at];
  if (!slice)
    throw new ReplayError(`Cannot do unit ${claim.record.id}: the plan of run ${plan.runId} has no such slice.`);
  const [segments, deleted] = await Promise.all([services.segments(), pinnedDeletions(services.client, plan)]);
  const pass = new SlicePass(context, at, slice, segments, deleted);
  attempt.pass = pass;
  const packed = await pass.run();
  await requirePermissions(services.client, plan, [context.run.settings.target]);
  await claim.end((record) => ({ ...moveUnit(record, "done"), ...packed }));
}

async function foldPartitions(services: UnitServices, context: UnitContext, attempt: UnitAttempt): Promise<void> {
  const { claim } = context;
  const openSource = await sourceOf(services, context);
  for (;;) {
    const pass = await UnitPass.start(context, openSource);
    attempt.pass = pass;
    if ((await readTraced(pass, context)) === "rewind") {
      const [bad = [], ...badOfOthers] = pass.folds.all.map(({ fold }) => fold.toSkip);
      pass.close();
      await claim.update((unit) => ({
        ...unit,
        badSequences: [...unit.badSequences, ...bad],
        otherTargets: unit.otherTargets.map((figures, i) => ({
          ...figures,
          badSequences: [...figures.badSequences, ...(badOfOthers[i] ?? [])],
        })),
      }));
      const sequences = [bad, ...badOfOthers].flat().slice(0, 10);
      context.log.warn({ sequences }, "events left out; folding again from the last checkpoint");
      continue;
    }
    const startedAt = performance.now();
    const entries: EntriesWritten[] = [];
    const { working } = pass.folds;
    for (const [at, { target, fold }] of pass.folds.all.entries()) {
      const written = await traced("write", { "cim_replay.aggregates": fold.aggregates.size }, () =>
        writeEntries({
          ...context,
          ...target,
          working,
          at,
          partitions: context.unit.partitions.length,
          onWritten: (so) => {
            attempt.entriesWritten[at] = so.written + so.unchanged;
          },
        }),
      );
      entries.push(written);
    }
    context.stages.write += performance.now() - startedAt;
    const { shelved } = working;
    if (shelved > 0) context.log.info({ shelved }, "aggregates were put on disk, some of them again and again");
    await finish(services, context, pass, entries);
    return;
  }
}

async function sourceOf(services: UnitServices, context: UnitContext): Promise<OpenSource> {
  const { ledger } = services;
  if (context.plan.source.kind === "shuffle") {
    const segments = await services.segments();
    return (start) => new SegmentSource(context, { ledger, segments }, start);
  }
  const deleted = await pinnedDeletions(services.client, context.plan);
  return (start) => new DirectSource(context, deleted, start);
}

/** Fetching and folding take turns too often for spans of their own: the read's span says how long each took in all. */
function readTraced(pass: UnitPass, { stages }: UnitContext): Promise<"ended" | "rewind"> {
  return traced("read", {}, async (span) => {
    const before = { ...stages };
    try {
      return await pass.read();
    } finally {
      span.setAttributes({
        "cim_replay.events": pass.fold.counts.delivered,
        "cim_replay.fetch_ms": Math.round(stages.fetch - before.fetch),
        "cim_replay.fold_ms": Math.round(stages.fold - before.fold),
        "cim_replay.checkpoint_ms": Math.round(stages.checkpoint - before.checkpoint),
      });
    }
  });
}

async function finish(
  services: UnitServices,
  { claim, plan, unit, run }: UnitContext,
  pass: UnitPass,
  entries: readonly EntriesWritten[],
): Promise<void> {
  await requirePermissions(services.client, plan, bucketsOf(run.settings));
  const failure = failureOf(pass);
  const figures = pass.folds.all.map((_, at) => figuresOf(pass, at, entries[at], unit.partitions.length));
  const [first, ...otherTargets] = figures;
  await claim.end((record) => ({
    ...moveUnit(record, failure ? "failed" : "done"),
    ...first,
    otherTargets,
    hottest: hottestOf(pass.folds.working.table(0).hottest, record.hottest),
    cursorSeq: failure ? record.cursorSeq : Math.max(plan.range.toSeq, 0),
    deliveredBySlice: pass.deliveredBySlice,
    contentByPartition: pass.contentByPartition(),
    failure,
  }));
  if (!failure) await services.checkpoints.purge(plan.runId, unit.id);
}

/** What the unit has come to for one target; what was found bad before stays as the record has it. */
function figuresOf(pass: UnitPass, at: number, entries: EntriesWritten | undefined, partitions: number): FoldFigures {
  const { fold } = pass.folds.all[at] ?? { fold: pass.fold };
  // Entries may have had to make room since the fold.
  const table = pass.folds.working.table(at);
  const { written = 0, unchanged = 0, bytes = 0, digests = [] } = entries ?? {};
  return {
    counts: fold.counts,
    deliveredByPartition: pass.folds.deliveredByPartition(at),
    aggregatesByPartition: Array.from({ length: partitions }, (_, partition) => table.countIn(partition)),
    entriesByPartition: [...digests],
    badSequences: [...fold.badSequences],
    firstParkedSeq: fold.firstParkedSeq,
    parkedAggregates: fold.parkedAggregates,
    entries: { written, unchanged, bytes },
  };
}

function hottestOf(one: UnitRecord["hottest"], other: UnitRecord["hottest"]): UnitRecord["hottest"] {
  return (one?.events ?? 0) >= (other?.events ?? 0) ? one : other;
}

/** Null where every event was taken, or may be left out. */
function failureOf({ folds }: UnitPass): UnitRecord["failure"] {
  const parked = folds.all.filter(({ fold }) => fold.firstParkedSeq !== null);
  if (parked.length === 0) return null;
  const texts = parked.map(({ target, fold }) => {
    const by = folds.all.length > 1 ? ` by ${target.projection.name} (${target.plan.target.bucket})` : "";
    return `${fold.counts.quarantined} events cannot be taken${by}, the first at sequence ${fold.firstParkedSeq}.`;
  });
  return { kind: "bad-events", message: texts.join(" ") };
}

/** What was sent without waiting for an answer (progress, the end of a read) may have been refused. */
async function requirePermissions(client: NatsClient, plan: Plan, buckets: readonly string[]): Promise<void> {
  const { runId, stream } = plan;
  await client.settle();
  const ours = [runId, stream.name, ...buckets.map(bucketStream)];
  const isOurs = (token: string) => ours.includes(token) || token.startsWith("CIM_REPLAY_");
  client.denials.throwIfAny(`work on run ${runId}`, (subject) => subject.split(".").some(isOurs));
}

/** Turns the end of an attempt into the unit's next state. */
async function endAfter(error: unknown, claim: UnitClaim, attempt: UnitAttempt | null, log: Log): Promise<void> {
  const givesBack =
    error instanceof RunStoppedError ||
    error instanceof WorkerStoppingError ||
    error instanceof NotPackedError ||
    error instanceof UnreachableError;
  if (error instanceof SupersededError) {
    log.warn({}, errorMessage(error));
    return;
  }
  if (givesBack) log.info({}, `unit given back: ${errorMessage(error)}`);
  else log.error({ error }, `unit failed: ${errorMessage(error)}`);
  try {
    if (givesBack && wantsCheckpoint(error)) {
      await attempt?.pass?.checkpointAndSettle().catch((failure: unknown) => {
        log.warn({ error: errorMessage(failure) }, "the unit is given back at an older checkpoint");
      });
    }
    await claim.end((unit) =>
      givesBack
        ? moveUnit(unit, "pending")
        : { ...moveUnit(unit, "failed"), failure: { kind: failureKind(error), message: errorMessage(error) } },
    );
  } catch (ending) {
    // Its owner stays in the record without a heartbeat: the coordinator sends the unit again.
    log.warn({ error: errorMessage(ending) }, "the unit's state could not be written");
    if (ending instanceof PermissionDeniedError) throw ending;
  }
}

function wantsCheckpoint(error: unknown): boolean {
  if (error instanceof WorkerStoppingError || error instanceof NotPackedError) return true;
  return error instanceof RunStoppedError && error.runState === "paused";
}

function failureKind(error: unknown): string {
  return error instanceof ReplayError ? error.name : "unexpected";
}

function liveOf(attempt: UnitAttempt) {
  return () => {
    const { pass } = attempt;
    if (!pass) return {};
    const { counts, lastEventAtMs } = pass;
    return {
      readSeq: Math.max(0, pass.readSeq),
      delivered: counts.delivered,
      ...pass.live(attempt.entriesWritten),
      lastEventAtMs,
      memoryBytes: process.memoryUsage.rss(),
    };
  };
}
