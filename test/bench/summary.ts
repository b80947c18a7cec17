import { eventsPerSecond, type Reading } from "./reading.ts";
import type { CaseResult } from "./results.ts";
import { median } from "./statistics.ts";

/** Results of a run by the names of its cases: medians over the rounds, null where there is no reading. */
export class Summary {
  readonly #byName: ReadonlyMap<string, CaseResult>;

  constructor(cases: readonly CaseResult[]) {
    this.#byName = new Map(cases.map((one) => [one.name, one]));
  }

  readings(name: string): readonly Reading[] {
    return this.#byName.get(name)?.readings ?? [];
  }

  /** What it was measured on; null where it was not asked for. */
  dataset(name: string): CaseResult["dataset"] | null {
    return this.#byName.get(name)?.dataset ?? null;
  }

  failed(name: string): boolean {
    return (this.#byName.get(name)?.failures.length ?? 0) > 0;
  }

  median(name: string, of: (reading: Reading) => number | null): number | null {
    const values = this.readings(name)
      .map(of)
      .filter((value) => value !== null);
    return values.length === 0 ? null : median(values);
  }

  /** Of a rate divided by another's of the same round: neighbours met the same machine. */
  rateRatio(name: string, base: string): number | null {
    const bases = new Map(this.readings(base).map((reading) => [reading.round, reading]));
    const ratios = this.readings(name).flatMap((reading) => {
      const other = bases.get(reading.round);
      return other ? [eventsPerSecond(reading) / eventsPerSecond(other)] : [];
    });
    return ratios.length === 0 ? null : median(ratios);
  }

  /** By stage, the median time an event. */
  stages(name: string): Record<string, number> {
    const stages = this.readings(name)[0]?.stages ?? {};
    return Object.fromEntries(
      Object.keys(stages).map((stage) => [stage, this.median(name, (reading) => reading.stages?.[stage] ?? null) ?? 0]),
    );
  }
}
