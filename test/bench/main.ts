import { judge } from "./bars.ts";
import { type Bench, standUp, withBench } from "./bench-setup.ts";
import { longMeasurements, mainMeasurements, manyMeasurements, type Measurement } from "./measurements.ts";
import { type BenchOptions, parseOptions } from "./options.ts";
import { barTable, LEGEND, resultTable } from "./report.ts";
import { writeResults } from "./results-file.ts";
import { runRounds } from "./rounds.ts";

const LONGER = 4;

function chooseMeasurements(bench: Bench, { events, aggregates, manyAggregates, skew, only, long }: BenchOptions) {
  const main = mainMeasurements(bench, { stream: "MAIN", events, aggregates, skew });
  const many = manyMeasurements(bench, { stream: "MANY", events, aggregates: manyAggregates, skew });
  const longer = longMeasurements(bench, { stream: "LONG", events: events * LONGER, aggregates, skew });
  return wanted([...main, ...many, ...(long ? longer : [])], only);
}

/** What `--only` names, with the ceilings that its ratios need. */
function wanted(measurements: readonly Measurement[], only: readonly string[]): Measurement[] {
  const named = measurements.filter(({ name }) => only.length === 0 || only.some((word) => name.includes(word)));
  const ceilings = new Set(named.map(({ ceiling }) => ceiling));
  return measurements.filter((measurement) => named.includes(measurement) || ceilings.has(measurement.name));
}

const options = parseOptions(process.argv.slice(2));
const bars = await withBench(async (bench) => {
  const measurements = chooseMeasurements(bench, options);
  for (const dataset of new Set(measurements.map(({ dataset }) => dataset))) await standUp(bench, dataset);
  const readings = await runRounds(measurements, options.rounds);
  const judged = judge(readings);
  console.log(`${resultTable(measurements, readings)}\n\n${LEGEND}\n`);
  console.log(`${barTable(judged)}\n`);
  console.log(`All readings: ${await writeResults(options, bench.client.serverVersion, readings, judged)}`);
  return judged;
});
process.exitCode = bars.some(({ passed }) => passed === false) ? 1 : 0;
