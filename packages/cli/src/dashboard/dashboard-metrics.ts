import { RUN_STATES, type RunRecord } from "@cim-replay/core";
import type { Registry } from "prom-client";
import { type MetricDefinition, metricSet } from "../metrics/metric-set.ts";
import { outcomeGauges, type OutcomesSource } from "../metrics/outcome-metrics.ts";

export interface DashboardMetricsSource extends OutcomesSource {
  /** Null while the ledger cannot be read. */
  readonly runs: readonly RunRecord[] | null;
}

const metrics: readonly MetricDefinition<DashboardMetricsSource>[] = [
  {
    name: "cim_replay_runs",
    kind: "gauge",
    help: "Runs in the ledger, by state.",
    labels: ["state"],
    read: ({ runs }) =>
      runs &&
      RUN_STATES.map((state) => ({ labels: { state }, value: runs.filter((run) => run.state === state).length })),
  },
  ...outcomeGauges,
];

/** What a dashboard tells of the whole installation: it is still there when a run's command has ended. */
export function dashboardRegistry(source: () => Promise<DashboardMetricsSource>): Registry {
  return metricSet(metrics, source);
}
