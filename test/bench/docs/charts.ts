import { eventsPerSecond } from "../reading.ts";
import { figure } from "../report.ts";
import type { Results } from "../results.ts";
import { fitResults } from "../scaling/fit.ts";
import { Summary } from "../summary.ts";
import { type BarChart, barChart, type ChartRow } from "./bar-chart.ts";

const IMAGES = "docs/images";

/** By path in the project, the SVG files of both pages. What was not measured has no bar. */
export function chartFiles(results: Results): ReadonlyMap<string, string> {
  const summary = new Summary(results.cases);
  const charts: Readonly<Record<string, BarChart>> = {
    jobs: jobsChart(summary),
    stages: stagesChart(summary),
    workers: workersChart(summary),
    streams: streamsChart(results, summary),
    peers: peersChart(summary),
    scaling: scalingChart(results),
  };
  return new Map(Object.entries(charts).map(([name, chart]) => [`${IMAGES}/bench-${name}.svg`, barChart(chart)]));
}

const JOBS = ["raw read", "flat, certify none", "flat", "flat, certify content", "flat, certify full"];
const GRAPH_JOBS = ["graph, certify none", "graph", "graph, certify full"];

function jobsChart(summary: Summary): BarChart {
  const row = (name: string): ChartRow[] => {
    const ratio = summary.rateRatio(name, "raw read");
    return ratio === null ? [] : [{ label: name, parts: [{ value: ratio, series: 0 }], text: figure(ratio, 2) }];
  };
  return {
    title: "Whole jobs, from plan to certificate",
    unit: "rate, as a ratio to the raw read of the same round; flat and graph alone are certified at counts, the default",
    rows: [...JOBS, "hand-written fold, then put", ...GRAPH_JOBS].flatMap(row),
  };
}

const STAGES = ["read", "route", "decode", "fold", "hash", "write"];

function stagesChart(summary: Summary): BarChart {
  const rows = ["stages, flat", "stages, graph"].flatMap((name): ChartRow[] => {
    const stages = summary.stages(name);
    const parts = STAGES.map((stage, series) => ({ value: stages[stage] ?? 0, series }));
    const sum = parts.reduce((total, { value }) => total + value, 0);
    return sum === 0 ? [] : [{ label: name.replace("stages, ", ""), parts, text: `${figure(sum, 1)} µs` }];
  });
  return {
    title: "What an event costs a worker",
    unit: "microseconds of processor time an event",
    series: STAGES,
    rows,
  };
}

function workersChart(summary: Summary): BarChart {
  const counts = ["1 worker", "2 workers", "4 workers", "8 workers"];
  const rows = (["flat", "shuffle"] as const).flatMap((source, series) =>
    counts.flatMap((workers): ChartRow[] => {
      const ratio = summary.rateRatio(`${source}, ${workers}`, "raw read");
      const label = `${source === "flat" ? "direct" : "shuffle"}, ${workers}`;
      return ratio === null ? [] : [{ label, parts: [{ value: ratio, series }], text: figure(ratio, 2) }];
    }),
  );
  return {
    title: "Workers and sources, flat projection",
    unit: "rate, as a ratio to the raw read of the same round",
    series: ["direct", "shuffle"],
    rows,
  };
}

function streamsChart({ cases }: Results, summary: Summary): BarChart {
  const jobs = cases.filter(({ name }) => /(^|: )flat$/.test(name));
  const rows = jobs.flatMap(({ name, dataset }): ChartRow[] => {
    const rate = summary.median(name, eventsPerSecond);
    const label = dataset.name === "" ? "main" : dataset.name;
    return rate === null ? [] : [{ label, parts: [{ value: rate, series: 0 }], text: figure(rate, 0) }];
  });
  return {
    title: "The same job on other streams and servers, flat projection",
    unit: "events a second, from plan to certificate",
    rows,
  };
}

const PEERS = [
  "flat",
  "hand-written fold, then put",
  "hand-written put per event",
  "BullMQ job per event",
  "emmett's rebuild",
];

function peersChart(summary: Summary): BarChart {
  const rows = PEERS.flatMap((name): ChartRow[] => {
    const rate = summary.median(name, eventsPerSecond);
    const label = name === "flat" ? "domain-replay, flat" : name;
    return rate === null
      ? []
      : [{ label, parts: [{ value: rate, series: name === "flat" ? 0 : 1 }], text: figure(rate, 0) }];
  });
  return { title: "Beside what else one would use", unit: "events a second, logarithmic", scale: "log", rows };
}

function scalingChart(results: Results): BarChart {
  const { heldOut } = fitResults(results);
  return {
    title: "Runs that the fit did not see",
    unit: "predicted seconds, as a ratio to the measured ones",
    mark: { value: 1, text: "as measured" },
    rows: heldOut.map(({ name, measured, predicted }) => {
      const ratio = predicted.seconds / measured.seconds;
      return { label: name, parts: [{ value: ratio, series: 0 }], text: figure(ratio, 2) };
    }),
  };
}
