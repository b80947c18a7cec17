import type { MetricDefinition } from "./metric-set.ts";
import type { Outcome } from "./outcomes.ts";

export interface OutcomesSource {
  /** Of all runs that the ledger knows; null while it cannot be read. */
  readonly outcomes: readonly Outcome[] | null;
}

/** The same in all processes that tell it: take the largest, not the sum. */
function unsettled(name: string, help: string, read: (outcome: Outcome) => number): MetricDefinition<OutcomesSource> {
  return {
    name: `cim_replay_${name}`,
    kind: "gauge",
    help,
    labels: ["domain", "target"],
    read: ({ outcomes }) =>
      outcomes?.map((outcome) => ({
        labels: { domain: outcome.domain, target: outcome.target },
        value: read(outcome),
      })) ?? null,
  };
}

export const outcomeGauges: readonly MetricDefinition<OutcomesSource>[] = [
  unsettled(
    "failed_runs",
    "Runs in the ledger that failed and were neither resumed nor cancelled nor followed by a completed one of the domain.",
    ({ failed }) => failed,
  ),
  unsettled("refuted_runs", "Of the failed runs, those that the verifier found not to hold.", ({ refuted }) => refuted),
];
