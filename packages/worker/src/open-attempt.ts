import {
  type CompiledProjection,
  compileDomain,
  type Log,
  type Plan,
  planFor,
  plannedAs,
  type ProjectionRef,
  parseEntryKey,
  partitionRouter,
  ratesOf,
  ReplayError,
  type RunRecord,
  type RunTarget,
  runFor,
  targetsOf,
} from "@cim-replay/core";
import type { CompiledFilter } from "@cim-replay/filter";
import type { CheckpointStore, Ledger, NatsClient, QuarantineStore, ReadThread, SegmentStore } from "@cim-replay/nats";
import { Pace } from "./pace.ts";
import type { UnitClaim } from "./unit-claim.ts";
import type { AttemptContext, UnitContext, UnitTarget } from "./unit-context.ts";

export interface UnitServices {
  readonly client: NatsClient;
  readonly ledger: Ledger;
  readonly checkpoints: CheckpointStore;
  readonly quarantine: QuarantineStore;
  readonly workerId: string;
  readonly log: Log;
  /** Null where a unit of this plan had better read by itself. */
  readThread(plan: Plan, run: RunRecord): ReadThread | null;
  /** Opened by whoever packs or reads segments; few runs need them. */
  segments(): Promise<SegmentStore>;
  loadProjection(ref: ProjectionRef): Promise<CompiledProjection>;
}

/** What an attempt at a unit of either kind needs. Throws ReplayError where the run has no such plan. */
export async function openAttempt(
  { client, ledger, readThread }: UnitServices,
  job: { runId: string; unit: string },
  claim: UnitClaim,
  signal: AbortSignal,
  log: Log,
): Promise<AttemptContext> {
  const [run, plan] = await Promise.all([ledger.getRun(job.runId), ledger.getPlan(job.runId)]);
  if (!run || !plan) throw new ReplayError(`Cannot do unit ${job.unit}: run ${job.runId} has no plan of it.`);
  return {
    client,
    readThread: () => readThread(plan, run.record),
    claim,
    run: run.record,
    plan,
    codec: compileDomain(plan.domain, run.record.settings.domainSettings),
    maxMessageBytes: client.maxPayloadBytes - 4_096,
    signal: AbortSignal.any([signal, claim.signal]),
    log,
    gauge: { heldBytes: 0 },
    pace: new Pace(ratesOf(run.record)),
    stages: { fetch: 0, fold: 0, checkpoint: 0, write: 0 },
    recoveries: 0,
    checkpointRequested: false,
  };
}

async function openTargets(
  loadProjection: UnitServices["loadProjection"],
  run: RunRecord,
  plan: Plan,
): Promise<UnitContext["targets"]> {
  const open = async ({ projection }: RunTarget, at: number): Promise<UnitTarget> => ({
    run: runFor(run, at),
    plan: planFor(plan, at),
    projection: await loadProjection(projection),
    careful: new Set(),
  });
  const [first, ...others] = targetsOf(run.settings);
  return [await open(first, 0), ...(await Promise.all(others.map((target, i) => open(target, i + 1))))];
}

/** The same context with what folding takes: what counts there is seen through the attempt. */
export async function openPartitions(
  { checkpoints, quarantine, loadProjection }: UnitServices,
  context: AttemptContext,
): Promise<UnitContext> {
  const { plan, run, claim } = context;
  const unit = plannedAs(plan, claim.record);
  if (!unit) throw new ReplayError(`Cannot do unit ${claim.record.id}: run ${plan.runId} has no plan of it.`);
  return Object.assign(context, {
    checkpoints,
    quarantine,
    unit,
    targets: await openTargets(loadProjection, run, plan),
    filter: plan.filter ? await filterOf(plan.filter) : null,
    ...routing(plan, unit.partitions),
  });
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
