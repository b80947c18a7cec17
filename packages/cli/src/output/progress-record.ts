import type { Progress } from "@cim-replay/coordinator";
import { bucketsOf, ratesOf } from "@cim-replay/core";

/** What `replay-progress --format json` prints. The first seven fields are the runbook's; scripts rely on them. */
export interface ProgressRecord {
  readonly domain: string;
  readonly total_events: number;
  /** What is durable: a crash now loses none of it. */
  readonly processed_events: number;
  readonly progress_percent: number;
  /** Events a second. */
  readonly current_rate: number;
  /** RFC 3339; null where nothing is going on that could be estimated. */
  readonly estimated_completion: string | null;
  readonly errors: number;
  readonly run_id: string;
  readonly state: string;
  readonly target: string;
  /** Only of a run with several: all of them, the first one too. */
  readonly targets?: readonly string[];
  readonly read_events: number;
  readonly applied_events: number;
  /** Events a second that the run is held to, and whether and why it is held back because others suffer. */
  readonly max_rate: number | null;
  readonly adaptive_rate: { readonly max_rate: number | null; readonly reason: string | null } | null;
  readonly lag_seconds: number | null;
  readonly entries_written: number;
  readonly entries_total: number | null;
  readonly units: Progress["units"];
  /** Null where the units read the stream themselves. */
  readonly slices: Progress["slices"];
  readonly workers: number;
  readonly memory_bytes: number;
  readonly checkpoints: number;
  /** Null where events are spread over aggregates well enough. */
  readonly hot_aggregate: { readonly id: string; readonly events: number; readonly share: number } | null;
}

export function progressRecord(progress: Progress, nowMs: number): ProgressRecord {
  const { run, totalEvents, durableEvents, etaSeconds, hot } = progress;
  const going = run.state === "running" || run.state === "verifying";
  return {
    domain: run.settings.domain,
    total_events: totalEvents,
    processed_events: durableEvents,
    progress_percent: totalEvents > 0 ? Math.round((durableEvents / totalEvents) * 10_000) / 100 : 0,
    current_rate: Math.round(progress.eventsPerSecond),
    estimated_completion: going && etaSeconds !== null ? secondsOnly(nowMs + etaSeconds * 1000) : null,
    errors: progress.errors,
    run_id: run.id,
    state: run.state,
    target: run.settings.target,
    ...(run.settings.otherTargets.length > 0 && { targets: bucketsOf(run.settings) }),
    read_events: progress.readEvents,
    applied_events: progress.appliedEvents,
    max_rate: ratesOf(run).maxRate,
    adaptive_rate: run.settings.adaptiveRate
      ? { max_rate: run.adaptive?.maxRate ?? null, reason: run.adaptive?.reason ?? null }
      : null,
    lag_seconds: progress.lagSeconds,
    entries_written: progress.entriesWritten,
    entries_total: progress.entriesTotal,
    units: progress.units,
    slices: progress.slices,
    workers: progress.workers,
    memory_bytes: progress.memoryBytes,
    checkpoints: progress.checkpoints,
    hot_aggregate: hot && { id: hot.aggregateId, events: hot.events, share: Math.round(hot.share * 1000) / 1000 },
  };
}

function secondsOnly(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/\.\d+Z$/, "Z");
}
