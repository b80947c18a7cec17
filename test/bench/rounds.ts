import { errorMessage } from "@cim-replay/core";
import type { Case } from "./case.ts";
import type { BenchOptions } from "./options.ts";
import { eventsPerSecond, type Measured } from "./reading.ts";
import type { CaseResult } from "./results.ts";

/**
 * Takes the measurements of a round one after the other: what else the machine does meets all of them alike, and each
 * ratio is made of neighbours. One round before the first reads every stream once, so that caches are filled. A
 * measurement that fails is told of and the others go on. `keep` is called after each, so that what was measured
 * outlives an interruption.
 */
export async function runRounds(
  cases: readonly Case[],
  { rounds, variantRounds }: Pick<BenchOptions, "rounds" | "variantRounds">,
  measure: (one: Case) => Promise<Measured>,
  keep: (soFar: readonly CaseResult[]) => Promise<void>,
): Promise<CaseResult[]> {
  const results = cases.map(
    ({ name, group, dataset, ceiling, work }): CaseResult => ({
      ...{ name, group, dataset, ceiling, work },
      readings: [],
      failures: [],
    }),
  );
  const roundsOf = { always: rounds, sometimes: Math.min(rounds, variantRounds), once: 1 };
  for (let round = 0; round <= rounds; round++) {
    for (const [at, one] of cases.entries()) {
      const isDue = round === 0 ? one.name === one.ceiling : round <= roundsOf[one.often];
      if (!isDue) continue;
      const label = round === 0 ? "warm-up" : `round ${round}/${rounds}`;
      try {
        const measured = await measure(one);
        console.error(`${label}  ${one.name}: ${Math.round(eventsPerSecond(measured))} events/s`);
        if (round > 0) results[at]?.readings.push({ round, ...measured });
      } catch (error) {
        console.error(`${label}  ${one.name} FAILED: ${errorMessage(error)}`);
        results[at]?.failures.push(errorMessage(error));
      }
      await keep(results);
    }
  }
  return results;
}
