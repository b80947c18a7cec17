import type { Progress } from "@cim-replay/coordinator";
import { bucketsOf, ratesOf } from "@cim-replay/core";
import type { Registry } from "prom-client";
import { type MetricDefinition, metricSet, type Reading } from "./metric-set.ts";

export interface RunMetricsSource {
  /** Null before the first run of this process has begun. */
  readonly progress: Progress | null;
  readonly queue: Readonly<Record<string, number>>;
  /** Connected to the queue, whatever they do; null while Redis is away. */
  readonly connectedWorkers: number | null;
}

type RunMetric = MetricDefinition<RunMetricsSource>;

function gauge(name: string, help: string, read: (progress: Progress) => number | null): RunMetric {
  return { name: `cim_replay_${name}`, kind: "gauge", help, read: ({ progress }) => progress && read(progress) };
}

function counter(name: string, help: string, read: (progress: Progress) => number): RunMetric {
  return { name: `cim_replay_${name}`, kind: "counter", help, read: ({ progress }) => (progress ? read(progress) : 0) };
}

function labelled(values: Readonly<Record<string, number>>, label: string): Reading {
  return Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

/** What the coordinating command serves; local workers report through it. */
const runMetrics: readonly RunMetric[] = [
  gauge(
    "events_per_second",
    "Events applied a second, by all workers of the run, over the last seconds.",
    (p) => p.eventsPerSecond,
  ),
  gauge("lag_seconds", "Age of the last event applied against the last one pinned by the plan.", (p) => p.lagSeconds),
  counter("errors_total", "Events quarantined and units failed in the run.", (p) => p.errors),
  gauge("memory_bytes", "Resident memory of the run's largest worker.", (p) => p.memoryBytes),
  gauge(
    "memory_limit_bytes",
    "What each worker of the run may take; not there without --memory-limit.",
    (p) => p.run.settings.memoryLimitBytes,
  ),
  gauge(
    "max_events_per_second",
    "What holds the run back now, by request or because others suffer; not there where nothing does.",
    (p) => ratesOf(p.run).maxRate,
  ),
  gauge("in_flight_bytes", "Bytes received by workers and not folded yet.", (p) => p.inFlightBytes),
  gauge("events_planned", "Events that the run has to handle.", (p) => p.totalEvents),
  counter("events_read_total", "Events that workers have read.", (p) => p.readEvents),
  counter("events_applied_total", "Events folded into states.", (p) => p.appliedEvents),
  counter("events_durable_total", "Events whose effect survives any crash.", (p) => p.durableEvents),
  counter("entries_written_total", "Entries written, of all targets.", (p) => p.entriesWritten),
  gauge("entries_planned", "Entries that the run will write, where that is known.", (p) => p.entriesTotal),
  counter("checkpoints_total", "Checkpoints committed.", (p) => p.checkpoints),
  counter("retries_total", "Lost consumers and connections that readers mended.", (p) => p.recoveries),
  counter(
    "units_resent_total",
    "Units sent to the queue again: after a pause, or lost by a worker or Redis.",
    (p) => p.unitsResent ?? 0,
  ),
  {
    name: "cim_replay_workers",
    kind: "gauge",
    help: "Workers connected to the queue; those with a unit at work while Redis is away.",
    read: ({ progress, connectedWorkers }) => connectedWorkers ?? progress?.workers ?? null,
  },
  gauge("workers_at_work", "Workers that have a unit of the run at work.", (p) => p.workers),
  gauge("eta_seconds", "Estimated time to the run's end.", (p) => p.etaSeconds),
  {
    name: "cim_replay_units",
    kind: "gauge",
    help: "Work units by state, slice units included.",
    labels: ["state"],
    read: ({ progress }) => {
      if (!progress) return null;
      const { units, slices } = progress;
      const both = (["pending", "running", "done", "failed"] as const).map((state) => [
        state,
        units[state] + (slices?.[state] ?? 0),
      ]);
      return labelled(Object.fromEntries(both), "state");
    },
  },
  {
    name: "cim_replay_stage_seconds_total",
    kind: "counter",
    help: "Time that workers have spent in each stage; divide by cim_replay_events_read_total for the latency an event.",
    labels: ["stage"],
    read: ({ progress }) => {
      if (!progress) return null;
      const seconds = Object.entries(progress.stageMicros).map(([stage, micros]) => [stage, micros / 1e6] as const);
      return labelled(Object.fromEntries(seconds), "stage");
    },
  },
  {
    name: "cim_replay_queue_jobs",
    kind: "gauge",
    help: "Jobs of the work queue by state, of all runs.",
    labels: ["state"],
    read: ({ queue }) => labelled(queue, "state"),
  },
  {
    name: "cim_replay_run_info",
    kind: "gauge",
    help: "1 for each target of the run that this process coordinates, with its domain and state.",
    labels: ["domain", "target", "state"],
    read: ({ progress }) => {
      if (!progress) return null;
      const { settings, state } = progress.run;
      return bucketsOf(settings).map((target) => ({ labels: { domain: settings.domain, target, state }, value: 1 }));
    },
  },
];

export function runRegistry(source: () => Promise<RunMetricsSource>): Registry {
  return metricSet(runMetrics, source);
}
