import type { Bar } from "./bars.ts";
import { eventsPerSecond, type Reading } from "./reading.ts";
import type { CaseResult } from "./results.ts";
import { spread } from "./statistics.ts";
import type { Summary } from "./summary.ts";

const MEBIBYTE = 1024 * 1024;

/** What the columns mean. */
export const LEGEND = `Medians of the rounds. Rates of commands count from their first request to JetStream to the end of the run's record:
plan, workers' start, reading, folding, writing, certificate. "to raw": divided by the raw read of the same stream and round.
"±": half the distance of the fastest to the slowest round. "start s": from the start of the process to the first unit at work.
"µs": CPU time an event of the workers or the probe, of the servers, and of the command. "MiB": the most that one worker or probe had.`;

type Column = readonly [head: string, cell: (one: CaseResult, summary: Summary) => string];

const of = (value: (reading: Reading) => number | null, digits: number) => (one: CaseResult, summary: Summary) =>
  figure(summary.median(one.name, value), digits);

const COLUMNS: readonly Column[] = [
  ["", ({ name }) => name],
  ["events/s", of(eventsPerSecond, 0)],
  ["±", ({ readings }) => (readings.length < 2 ? "–" : `${figure(spread(readings.map(eventsPerSecond)) * 100, 0)}%`)],
  ["to raw", ({ name, ceiling }, summary) => figure(summary.rateRatio(name, ceiling), 2)],
  ["start s", of((reading) => reading.firstUnitSeconds, 2)],
  ["µs worker", of((reading) => reading.workerMicros / reading.events, 2)],
  ["µs server", of((reading) => reading.serverMicros / reading.events, 2)],
  ["µs command", of((reading) => reading.coordinatorMicros / reading.events, 2)],
  ["MiB", of((reading) => reading.peakBytes / MEBIBYTE, 0)],
  [
    "rounds",
    ({ readings, failures }) => `${readings.length}${failures.length > 0 ? ` (${failures.length} failed)` : ""}`,
  ],
];

/** A row for each case, the heads first: medians of its rounds. */
export function resultRows(cases: readonly CaseResult[], summary: Summary): string[][] {
  return [COLUMNS.map(([head]) => head), ...cases.map((one) => COLUMNS.map(([, cell]) => cell(one, summary)))];
}

const PARTS = ["read", "route", "decode", "fold", "hash", "write", "together"];
const WORKER_STAGES = ["fetch", "fold", "checkpoint", "write"];

/** What an event costs in each part of a worker by itself, and what workers of whole jobs say of their stages. */
export function stageTables(summary: Summary): string[][][] {
  const table = (head: string, names: readonly string[], stages: readonly string[]) => [
    [head, ...stages],
    ...names.flatMap((name) => {
      const found = summary.stages(name);
      if (Object.keys(found).length === 0) return [];
      return [[name, ...stages.map((stage) => figure(found[stage] ?? null, 2))]];
    }),
  ];
  return [
    table("µs of CPU an event", ["stages, flat", "stages, graph"], PARTS),
    table("µs on the clock an event", ["flat", "graph"], WORKER_STAGES),
  ].filter((rows) => rows.length > 1);
}

export function barRows(bars: readonly Bar[]): string[][] {
  const verdict = ({ bound, met }: Bar) =>
    met === null ? (bound === "shown" ? "" : "not measured") : met ? "met" : "NOT MET";
  return [
    ["bar", "wanted", "measured", ""],
    ...bars.map((bar) => [
      bar.what,
      bar.limit === null ? "" : `${bar.bound} ${bar.limit}`,
      figure(bar.measured, 2),
      verdict(bar),
    ]),
  ];
}

/** Thousands apart; "–" where there is none. */
export function figure(value: number | null, digits: number): string {
  if (value === null || !Number.isFinite(value)) return "–";
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** For a terminal; figures stand best on the right, words on the left. */
export function aligned(rows: readonly (readonly string[])[], side: "left" | "right" = "right"): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column === 0 || side === "left" ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ");
  return rows.map((row) => line(row).trimEnd()).join("\n");
}

/** For a page. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head = [], ...rest] = rows;
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = `| ${head.map((_, column) => (column === 0 ? "---" : "---:")).join(" | ")} |`;
  return [line(head), rule, ...rest.map(line)].join("\n");
}
