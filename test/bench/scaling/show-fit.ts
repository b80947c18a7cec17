import { aligned } from "../report.ts";
import type { Results } from "../results.ts";
import { fitResults } from "./fit.ts";
import { checkRows, clockRows, costRows, scenarioRows } from "./tables.ts";

/** The fit for a terminal. */
export function showFit(results: Results): string {
  const fit = fitResults(results);
  return [
    "\nCosts, by least squares over the runs below:",
    aligned(costRows(fit), "left"),
    aligned(clockRows(fit)),
    "Runs that were fitted:",
    aligned(checkRows(fit.fitted)),
    "Runs that the fit did not see:",
    aligned(checkRows(fit.heldOut)),
    "What follows, extrapolated:",
    aligned(scenarioRows(results), "left"),
  ].join("\n\n");
}
