import type { Measurement } from "./measurements.ts";
import { eventsPerSecond, type Reading } from "./reading.ts";
import { median } from "./statistics.ts";

/** By name of the measurement: one reading a round. */
export type Readings = ReadonlyMap<string, readonly Reading[]>;

/**
 * Takes every measurement once a round, one after the other: what else the machine does meets all of them alike, and
 * each ratio is made of neighbours. One round before the first fills the caches and is not counted.
 */
export async function runRounds(measurements: readonly Measurement[], rounds: number): Promise<Readings> {
  const readings = new Map<string, Reading[]>(measurements.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const { name, ceiling, measure } of measurements) {
      if (round === 0 && name !== ceiling) continue;
      const reading = await measure();
      const label = round === 0 ? "warm-up" : `round ${round}/${rounds}`;
      console.error(`${label}  ${name}: ${Math.round(eventsPerSecond(reading))} events/s`);
      if (round > 0) readings.get(name)?.push(reading);
    }
  }
  return readings;
}

/** Median over the rounds; null where it was not measured. */
export function medianOf(readings: Readings, name: string, of: (reading: Reading) => number | null): number | null {
  const values = (readings.get(name) ?? []).map(of).filter((value) => value !== null);
  return values.length === 0 ? null : median(values);
}

/** Median of a measurement's rate divided by another's in the same round; null where one of them was not measured. */
export function rateRatio(readings: Readings, name: string, base: string): number | null {
  const bases = readings.get(base) ?? [];
  const ratios = (readings.get(name) ?? []).flatMap((reading, round) => {
    const other = bases[round];
    return other ? [eventsPerSecond(reading) / eventsPerSecond(other)] : [];
  });
  return ratios.length === 0 ? null : median(ratios);
}
