import type { LiveReport } from "@cim-replay/nats";
import type { Registry } from "prom-client";
import { type MetricDefinition, metricSet } from "./metric-set.ts";
import { outcomeGauges, type OutcomesSource } from "./outcome-metrics.ts";
import type { WorkerWatch } from "./worker-watch.ts";

const STAGES = ["fetch", "fold", "checkpoint", "write"] as const;

export interface WorkerMetricsSource extends OutcomesSource {
  /** Of the units at work. */
  readonly reports: readonly LiveReport[];
  readonly watch: WorkerWatch;
}

function sum(name: string, help: string, read: (report: LiveReport) => number): MetricDefinition<WorkerMetricsSource> {
  return {
    name: `cim_replay_${name}`,
    kind: "gauge",
    help,
    read: ({ reports }) => reports.reduce((total, report) => total + read(report), 0),
  };
}

/**
 * What a worker serves of itself. The first four are the run's of the same name, of this worker alone; then gauges over
 * the units it has at work, since a unit's figures leave with it; last what the ledger knows of all runs, because workers are still there when a run's
 * command has ended.
 */
const workerMetrics: readonly MetricDefinition<WorkerMetricsSource>[] = [
  {
    name: "cim_replay_events_per_second",
    kind: "gauge",
    help: "Events applied a second by this worker, over the last seconds.",
    read: ({ watch }) => watch.eventsPerSecond(),
  },
  {
    name: "cim_replay_lag_seconds",
    kind: "gauge",
    help: "Age of the last event applied by this worker against the last one pinned by the run's plan.",
    read: ({ watch, reports }) => watch.lagSeconds(reports),
  },
  {
    name: "cim_replay_errors_total",
    kind: "counter",
    help: "Events quarantined by this worker.",
    read: ({ watch }) => watch.errors,
  },
  {
    name: "cim_replay_events_applied_total",
    kind: "counter",
    help: "Events folded into states by this worker.",
    read: ({ watch }) => watch.applied,
  },
  {
    name: "cim_replay_worker_units",
    kind: "gauge",
    help: "Units at work in this worker.",
    read: ({ reports }) => reports.length,
  },
  {
    name: "cim_replay_memory_bytes",
    kind: "gauge",
    help: "Resident memory of this worker.",
    read: () => process.memoryUsage.rss(),
  },
  sum("in_flight_bytes", "Bytes received and not folded yet.", ({ inFlightBytes }) => inFlightBytes),
  sum("unit_events_read", "Messages read for the units at work.", ({ delivered }) => delivered),
  sum("unit_events_applied", "Events folded for the units at work.", ({ applied }) => applied),
  sum("unit_errors", "Events quarantined in the units at work.", ({ quarantined }) => quarantined),
  sum("unit_entries_written", "Entries written for the units at work.", ({ entriesWritten }) => entriesWritten),
  sum("unit_retries", "Recoveries in the units at work.", ({ recoveries }) => recoveries),
  {
    name: "cim_replay_unit_stage_seconds",
    kind: "gauge",
    help: "Time spent in each stage by the units at work.",
    labels: ["stage"],
    read: ({ reports }) =>
      STAGES.map((stage) => ({
        labels: { stage },
        value: reports.reduce((total, { stageMicros }) => total + stageMicros[stage], 0) / 1e6,
      })),
  },
  ...outcomeGauges,
];

export function workerRegistry(source: () => WorkerMetricsSource | Promise<WorkerMetricsSource>): Registry {
  return metricSet(workerMetrics, source);
}
