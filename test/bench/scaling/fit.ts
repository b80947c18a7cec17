import { UsageError } from "@cim-replay/core";
import type { Results } from "../results.ts";
import { type CostModel, fitModel, type Place, predict } from "./cost-model.ts";
import { type Cost, type Observation, observationOf } from "./load.ts";

/** Runs that the fit does not see: the model is checked against them. */
const HELD_OUT: ReadonlySet<string> = new Set([
  "graph",
  "flat, 2 workers",
  "flat, certify none",
  "shuffle, 4 workers",
  "many: graph",
  "zipf: flat",
  "long: flat, memory limit",
]);

export interface Checked extends Observation {
  readonly predicted: Cost;
}

export interface Fit {
  readonly model: CostModel;
  readonly place: Place;
  readonly fitted: readonly Checked[];
  readonly heldOut: readonly Checked[];
}

/** The least runs with which a fit means anything. */
const LEAST_RUNS = 6;

/** Fits the cost model to a run of the bench. Throws where there are too few runs in it. */
export function fitResults({ cases, machine }: Results): Fit {
  const observations = cases.map(observationOf).filter((one) => one !== null);
  const seen = observations.filter(({ name }) => !HELD_OUT.has(name));
  if (seen.length < LEAST_RUNS) {
    throw new UsageError(
      `Cannot fit the cost model: ${seen.length} runs are too few. Measure with --suite full, or give --from a file of such a run.`,
    );
  }
  const place: Place = { cores: machine.cores, workerCores: null, bytesPerSecond: null };
  const model = fitModel(seen, place);
  const checked = (one: Observation): Checked => ({ ...one, predicted: predict(model, one.load, place) });
  return {
    model,
    place,
    fitted: seen.map(checked),
    heldOut: observations.filter(({ name }) => HELD_OUT.has(name)).map(checked),
  };
}

/** How far a prediction is from what was measured, as a share of that. */
export function error({ measured, predicted }: Checked, of: keyof Cost): number {
  return predicted[of] / measured[of] - 1;
}
