import { type Plan, ReplayError, type RunRecord, type UnitRecord } from "@cim-replay/core";
import type { Ledger } from "@cim-replay/nats";

/** What the ledger says of one run. */
export interface RunEvidence {
  readonly run: RunRecord;
  readonly plan: Plan;
  readonly units: readonly UnitRecord[];
}

/** Throws ReplayError where the ledger has no such run, or lacks its plan. */
export async function loadRun(ledger: Ledger, runId: string): Promise<RunEvidence> {
  const [run, plan, units] = await Promise.all([ledger.getRun(runId), ledger.getPlan(runId), ledger.listUnits(runId)]);
  if (!run || !plan) {
    throw new ReplayError(
      `Cannot verify run ${runId}: the ledger has ${run ? "no plan of it" : "none of that id"}. See \`replay-list\`.`,
    );
  }
  return { run: run.record, plan, units: units.map(({ record }) => record) };
}

/**
 * The newest completed run that wrote a whole domain into a bucket, up to a time where one is given; where every run there
 * took a selection of events, the newest of those; null where there is none.
 */
export async function lastCompletedRun(
  ledger: Ledger,
  domain: string,
  bucket: string,
  endedByMs = Number.POSITIVE_INFINITY,
): Promise<RunEvidence | null> {
  const runs = (await ledger.listRuns()).filter(
    ({ state, settings, endedAt }) =>
      state === "completed" &&
      (endedAt === null || Date.parse(endedAt) <= endedByMs) &&
      settings.domain === domain &&
      settings.target === bucket &&
      settings.aggregateId === null,
  );
  const run = runs.find(({ settings }) => settings.filter === null) ?? runs[0];
  return run ? loadRun(ledger, run.id) : null;
}

/** Whether the run rebuilt every entry of its domain from every event that there was. */
export function isWholeRun({ run: { settings }, plan }: RunEvidence): boolean {
  if (settings.aggregateId !== null || settings.continueFromEntries) return false;
  if (settings.fromTimeMs !== null || settings.toTimeMs !== null || settings.filter !== null) return false;
  return plan.range.fromSeq <= plan.stream.firstSeq && plan.range.toSeq >= plan.stream.lastSeq;
}
