import { eachTarget, type RunRecord } from "@cim-replay/core";
import { rollbackCommand } from "./rollback.ts";

/** A run as `--format json` prints it: names as in the runbook's progress record. */
export function runJson(run: RunRecord, reach = ""): Record<string, unknown> {
  const { summary, settings, backup } = run;
  return {
    domain: settings.domain,
    run_id: run.id,
    command: run.command,
    state: run.state,
    reason: run.reason,
    target: settings.target,
    aggregate_id: settings.aggregateId,
    projection: settings.projection.name,
    ...(settings.otherTargets.length > 0 && { targets: eachTarget(run).map((each) => targetJson(each, reach)) }),
    ...(settings.filter && { filter: settings.filter }),
    created_at: run.createdAt,
    started_at: run.startedAt,
    ended_at: run.endedAt,
    backup: backup && { ...backup, rollback: rollbackCommand(run, reach) },
    summary: summary && {
      events: summary.events,
      aggregates: summary.aggregates,
      quarantined: summary.quarantined,
      entries_written: summary.entriesWritten,
      entries_unchanged: summary.entriesUnchanged,
      orphans: summary.orphans,
      pruned: summary.pruned,
      seconds: summary.seconds,
      events_per_second: Math.round(summary.eventsPerSecond),
      findings: summary.findings,
      certificate: summary.certificate,
    },
  };
}

/** Of a run with several: what each has come to. The fields beside it are the first target's, and of figures the sums. */
function targetJson(run: RunRecord, reach: string): Record<string, unknown> {
  const { settings, summary, backup } = run;
  return {
    target: settings.target,
    projection: settings.projection.name,
    backup: backup && { ...backup, rollback: rollbackCommand(run, reach) },
    summary: summary && {
      aggregates: summary.aggregates,
      quarantined: summary.quarantined,
      entries_written: summary.entriesWritten,
      entries_unchanged: summary.entriesUnchanged,
      orphans: summary.orphans,
      pruned: summary.pruned,
    },
  };
}

export function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
