import {
  afterSplits,
  eachTarget,
  type Plan,
  planFor,
  ReplayError,
  type RunRecord,
  runFor,
  targetAt,
  unitFor,
  type UnitRecord,
} from "@cim-replay/core";
import type { Ledger } from "@cim-replay/nats";

/** What the ledger says of one run. */
export interface RunEvidence {
  readonly run: RunRecord;
  readonly plan: Plan;
  readonly units: readonly UnitRecord[];
  /** The plan as the ledger has it, where `plan` is what one of several targets sees of it, or units were split since. */
  readonly wholePlan?: Plan;
}

/** With the units that went on for split ones in their place. Throws ReplayError where one has no record. */
export function settledEvidence(evidence: RunEvidence): RunEvidence {
  const { run, plan, units, wholePlan = plan } = evidence;
  if (!units.some(({ state }) => state === "split")) return evidence;
  return { run, ...afterSplits(plan, units), wholePlan };
}

/** What the records say of one target of the run. */
export function evidenceFor(evidence: RunEvidence, at: number): RunEvidence {
  const { run, plan, units } = evidence;
  if (run.settings.otherTargets.length === 0) return evidence;
  return {
    run: runFor(run, at),
    plan: planFor(plan, at),
    units: units.map((unit) => unitFor(unit, at)),
    wholePlan: evidence.wholePlan ?? plan,
  };
}

/** Throws ReplayError where the ledger has no such run, or lacks its plan. */
export async function loadRun(ledger: Ledger, runId: string): Promise<RunEvidence> {
  const [run, plan, units] = await Promise.all([ledger.getRun(runId), ledger.getPlan(runId), ledger.listUnits(runId)]);
  if (!run || !plan) {
    throw new ReplayError(
      `Cannot verify run ${runId}: the ledger has ${run ? "no plan of it" : "none of that id"}. See \`replay-list\`.`,
    );
  }
  return settledEvidence({ run: run.record, plan, units: units.map(({ record }) => record) });
}

/**
 * The newest completed run that wrote a whole domain into a bucket, up to a time where one is given; where every run there
 * took a selection of events, the newest of those; null where there is none. Of several targets, what that bucket sees.
 */
export async function lastCompletedRun(
  ledger: Ledger,
  domain: string,
  bucket: string,
  endedByMs = Number.POSITIVE_INFINITY,
): Promise<RunEvidence | null> {
  const runs = (await ledger.listRuns())
    .flatMap(eachTarget)
    .filter(
      ({ state, settings, endedAt }) =>
        state === "completed" &&
        (endedAt === null || Date.parse(endedAt) <= endedByMs) &&
        settings.domain === domain &&
        settings.target === bucket &&
        settings.aggregateId === null,
    );
  const run = runs.find(({ settings }) => settings.filter === null) ?? runs[0];
  if (!run) return null;
  const evidence = await loadRun(ledger, run.id);
  return evidenceFor(evidence, targetAt(evidence.run.settings, bucket));
}

/** Whether the run rebuilt every entry of its domain from every event that there was. */
export function isWholeRun({ run: { settings }, plan }: RunEvidence): boolean {
  if (settings.aggregateId !== null || settings.continueFromEntries) return false;
  if (settings.fromTimeMs !== null || settings.toTimeMs !== null || settings.filter !== null) return false;
  return plan.range.fromSeq <= plan.stream.firstSeq && plan.range.toSeq >= plan.stream.lastSeq;
}
