import {
  type CompiledProjection,
  compileDomain,
  DeletedSequences,
  errorMessage,
  type Log,
  moveUnit,
  type Plan,
  type ProjectionRef,
  parseEntryKey,
  partitionRouter,
  ratesOf,
  ReplayError,
  SourceChangedError,
  SupersededError,
  traced,
  UnreachableError,
} from "@cim-replay/core";
import {
  bucketStream,
  type CheckpointStore,
  deletedWithin,
  deletionsSha256,
  type Ledger,
  type NatsClient,
  onLive,
  PermissionDeniedError,
  type QuarantineStore,
} from "@cim-replay/nats";
import type { CompiledFilter } from "@cim-replay/filter";
import { Pace } from "./pace.ts";
import { RunStoppedError, UnitClaim } from "./unit-claim.ts";
import type { UnitContext } from "./unit-context.ts";
import { UnitPass } from "./unit-pass.ts";
import { writeEntries } from "./write-entries.ts";

export interface UnitServices {
  readonly client: NatsClient;
  readonly ledger: Ledger;
  readonly checkpoints: CheckpointStore;
  readonly quarantine: QuarantineStore;
  readonly workerId: string;
  readonly log: Log;
  loadProjection(ref: ProjectionRef): Promise<CompiledProjection>;
}

/** What the outside may see and ask of a unit at work. */
export interface UnitAttempt {
  readonly context: UnitContext;
  pass: UnitPass | null;
  entriesWritten: number;
}

/** The worker is told to leave: its units are given back at a checkpoint. */
export class WorkerStoppingError extends ReplayError {
  override readonly name = "WorkerStoppingError";
}

/**
 * Does one unit: claim → read (fetch, decode, fold, checkpoint) → write entries → done. Returns when the unit is done,
 * failed, given back, or somebody else's; whatever happened stands in the ledger.
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
    attempt = { context: await openContext(services, job, claim, signal, log), pass: null, entriesWritten: 0 };
    onAttempt(attempt);
    const { pace } = attempt.context;
    claim.start(liveOf(attempt), (current) => pace.limit(ratesOf(current)));
    stopListening = onLive(services.client, job.runId, ({ unit }) => pace.heard(unit));
    const { run, plan } = attempt.context;
    const spanOf = { "cim_replay.run": job.runId, "cim_replay.unit": job.unit, "cim_replay.epoch": claim.record.epoch };
    const at = attempt;
    await traced(
      "unit",
      { ...spanOf, "cim_replay.domain": plan.domain, "cim_replay.target": run.settings.target },
      () => work(services, at),
    );
    const { shelved = 0 } = at.pass?.working ?? {};
    log.info(shelved > 0 ? { shelved } : {}, "unit finished");
  } catch (error) {
    await endAfter(error, claim, attempt, log);
  } finally {
    claim.stop(new SupersededError("This attempt has ended."));
    stopListening();
    attempt?.pass?.close();
    onAttempt(null);
  }
}

async function work(services: UnitServices, attempt: UnitAttempt): Promise<void> {
  const { context } = attempt;
  const { claim } = context;
  const deleted = await pinnedDeletions(services.client, context.plan);
  for (;;) {
    const pass = await UnitPass.start(context, deleted);
    attempt.pass = pass;
    if ((await readTraced(pass, context)) === "rewind") {
      const bad = pass.fold.toSkip;
      pass.close();
      await claim.update((unit) => ({ ...unit, badSequences: [...unit.badSequences, ...bad] }));
      context.log.warn({ sequences: bad.slice(0, 10) }, "events left out; folding again from the last checkpoint");
      continue;
    }
    const startedAt = performance.now();
    const entries = await traced("write", { "cim_replay.aggregates": pass.fold.aggregates.size }, () =>
      writeEntries({
        ...context,
        working: pass.working,
        partitions: context.unit.partitions.length,
        onWritten: ({ written, unchanged }) => {
          attempt.entriesWritten = written + unchanged;
        },
      }),
    );
    context.stages.write += performance.now() - startedAt;
    await finish(services, context, pass, entries);
    return;
  }
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
  entries: Awaited<ReturnType<typeof writeEntries>>,
): Promise<void> {
  const { fold } = pass;
  const aggregatesByPartition = unit.partitions.map((_, at) => fold.aggregates.countIn(at));
  await requirePermissions(services.client, plan, run.settings.target);
  const isParked = fold.firstParkedSeq !== null;
  await claim.end((record) => ({
    ...moveUnit(record, isParked ? "failed" : "done"),
    cursorSeq: isParked ? record.cursorSeq : Math.max(plan.range.toSeq, 0),
    counts: fold.counts,
    deliveredBySlice: pass.deliveredBySlice,
    deliveredByPartition: pass.deliveredByPartition,
    aggregatesByPartition,
    contentByPartition: pass.contentByPartition(),
    entriesByPartition: [...entries.digests],
    firstParkedSeq: fold.firstParkedSeq,
    parkedAggregates: fold.parkedAggregates,
    entries: { written: entries.written, unchanged: entries.unchanged, bytes: entries.bytes },
    failure: isParked
      ? {
          kind: "bad-events",
          message: `${fold.counts.quarantined} events cannot be taken, the first at sequence ${fold.firstParkedSeq}.`,
        }
      : null,
  }));
  if (!isParked) await services.checkpoints.purge(plan.runId, unit.id);
}

/** What was sent without waiting for an answer (progress, the end of a read) may have been refused. */
async function requirePermissions(client: NatsClient, { runId, stream }: Plan, bucket: string): Promise<void> {
  await client.settle();
  const ours = [runId, stream.name, bucketStream(bucket)];
  const isOurs = (token: string) => ours.includes(token) || token.startsWith("CIM_REPLAY_");
  client.denials.throwIfAny(`work on run ${runId}`, (subject) => subject.split(".").some(isOurs));
}

/** Turns the end of an attempt into the unit's next state. */
async function endAfter(error: unknown, claim: UnitClaim, attempt: UnitAttempt | null, log: Log): Promise<void> {
  const givesBack =
    error instanceof RunStoppedError || error instanceof WorkerStoppingError || error instanceof UnreachableError;
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
  return error instanceof WorkerStoppingError || (error instanceof RunStoppedError && error.runState === "paused");
}

function failureKind(error: unknown): string {
  return error instanceof ReplayError ? error.name : "unexpected";
}

async function openContext(
  services: UnitServices,
  job: { runId: string; unit: string },
  claim: UnitClaim,
  signal: AbortSignal,
  log: Log,
): Promise<UnitContext> {
  const [run, plan] = await Promise.all([services.ledger.getRun(job.runId), services.ledger.getPlan(job.runId)]);
  const unit = plan?.units.find(({ id }) => id === job.unit);
  if (!run || !plan || !unit) throw new ReplayError(`Cannot do unit ${job.unit}: run ${job.runId} has no plan of it.`);
  const projection = await services.loadProjection(run.record.settings.projection);
  return {
    ...services,
    claim,
    run: run.record,
    plan,
    unit,
    codec: compileDomain(plan.domain, run.record.settings.domainSettings),
    projection,
    filter: plan.filter ? await filterOf(plan.filter) : null,
    ...routing(plan, unit.partitions),
    maxMessageBytes: services.client.maxPayloadBytes - 4_096,
    signal: AbortSignal.any([signal, claim.signal]),
    log,
    gauge: { heldBytes: 0 },
    pace: new Pace(ratesOf(run.record)),
    careful: new Set(),
    stages: { fetch: 0, fold: 0, checkpoint: 0, write: 0 },
    recoveries: 0,
    checkpointRequested: false,
  };
}

/** With it comes the evaluator of conditions, which few runs need. */
async function filterOf({ filter }: NonNullable<Plan["filter"]>): Promise<CompiledFilter> {
  const { compileFilter } = await import("@cim-replay/filter");
  return compileFilter(filter);
}

function routing(plan: Plan, partitions: readonly number[]): Pick<UnitContext, "partitionOf" | "partitionOfKey"> {
  const route = partitionRouter(plan);
  const position = new Map(partitions.map((index, at) => [index, at]));
  const partitionOf = (routeKey: string) => position.get(route(routeKey)) ?? -1;
  return {
    partitionOf,
    partitionOfKey: (entryKey) => {
      const parsed = parseEntryKey(entryKey);
      return parsed ? partitionOf(parsed.aggregateId) : -1;
    },
  };
}

/** The deletions that the plan knows of; anything else that is missing was deleted since. */
async function pinnedDeletions(client: NatsClient, plan: Plan): Promise<DeletedSequences> {
  if (plan.deleted.count === 0 || plan.read.filterSubjects.length > 0) return new DeletedSequences([]);
  const deleted = await deletedWithin(client, plan.stream.name, plan.range);
  const sha256 = deletionsSha256(deleted);
  if (sha256 === plan.deleted.sha256) return deleted;
  throw new SourceChangedError(
    `Cannot account for ${plan.stream.name}: ${deleted.count} sequences are deleted, the plan knew of ${plan.deleted.count}. ` +
      "Messages were deleted under the run; start a new one.",
  );
}

function liveOf(attempt: UnitAttempt) {
  return () => {
    const { pass } = attempt;
    if (!pass) return {};
    const { counts, lastEvent } = pass.fold;
    return {
      readSeq: Math.max(0, pass.readSeq),
      delivered: counts.delivered,
      applied: counts.applied,
      quarantined: counts.quarantined,
      entriesWritten: attempt.entriesWritten,
      lastEventAtMs: lastEvent ? lastEvent.timestampMs : null,
      memoryBytes: process.memoryUsage.rss(),
    };
  };
}
