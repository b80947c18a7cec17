import type { Bar } from "./bars.ts";
import type { Measurement } from "./measurements.ts";
import { eventsPerSecond } from "./reading.ts";
import { medianOf, rateRatio, type Readings } from "./rounds.ts";
import { spread } from "./statistics.ts";

const MEBIBYTE = 1024 * 1024;
const HEAD = [
  "measurement",
  "events/s",
  "±",
  "to raw",
  "command s",
  "1st unit s",
  "µs worker",
  "µs server",
  "µs coord",
  "peak MiB",
];

/** What the columns mean. */
export const LEGEND = `Medians of the rounds. Rates of commands count from their first request to JetStream to the end of the run's record:
plan, workers' start, reading, folding, writing, closing the books. "to raw": divided by the raw read of the same round.
"command s", "1st unit s": from the start of the process. "µs": CPU time an event. Peak memory: of one worker or probe.`;

/** One line for each measurement: medians of its rounds. */
export function resultTable(measurements: readonly Measurement[], readings: Readings): string {
  const rows = measurements.map(({ name, ceiling }) => {
    const of = (value: Parameters<typeof medianOf>[2]) => medianOf(readings, name, value);
    return [
      name,
      shown(of(eventsPerSecond), 0),
      `${shown(spread((readings.get(name) ?? []).map(eventsPerSecond)) * 100, 0)}%`,
      shown(rateRatio(readings, name, ceiling), 2),
      shown(
        of((reading) => reading.commandSeconds),
        1,
      ),
      shown(
        of((reading) => reading.firstUnitSeconds),
        2,
      ),
      shown(
        of((reading) => reading.workerMicros / reading.events),
        2,
      ),
      shown(
        of((reading) => reading.serverMicros / reading.events),
        2,
      ),
      shown(
        of((reading) => reading.coordinatorMicros / reading.events),
        2,
      ),
      shown(
        of((reading) => reading.peakBytes / MEBIBYTE),
        0,
      ),
    ];
  });
  return aligned([HEAD, ...rows]);
}

export function barTable(bars: readonly Bar[]): string {
  const verdict = ({ passed }: Bar) => (passed === null ? "–" : passed ? "pass" : "FAIL");
  const rows = bars.map((bar) => [bar.what, verdict(bar), shown(bar.measured, 2), `${bar.bound} ${bar.limit}`]);
  return aligned([["bar", "", "measured", "wanted"], ...rows]);
}

function shown(value: number | null, digits: number): string {
  return value === null ? "–" : value.toFixed(digits);
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ");
  return rows.map((row) => line(row).trimEnd()).join("\n");
}
