import { judge } from "../bars.ts";
import { GROUPS, type Group } from "../case.ts";
import { FULL_SIZE_EVENTS } from "../datasets.ts";
import { limitRows, limitsOf } from "../limits.ts";
import { describeDataset } from "../list.ts";
import { profileRows } from "../profile-rows.ts";
import { barRows, figure, LEGEND, markdownTable, resultRows, stageTables } from "../report.ts";
import type { Results } from "../results.ts";
import { fitResults } from "../scaling/fit.ts";
import { checkRows, clockRows, costRows, scenarioRows } from "../scaling/tables.ts";
import { Summary } from "../summary.ts";

const GIBIBYTE = 1024 ** 3;

const HEADINGS: Readonly<Record<Group, string>> = {
  job: "Whole jobs",
  certificate: "Certificates",
  workers: "Workers",
  source: "Sources",
  data: "Other streams",
  server: "Other servers and storage",
  bounds: "Bounds and what watching costs",
  stages: "Stages",
  peer: "Peers",
};

/** By name, what the pages show of a run of the bench, in Markdown. */
export function blocksOf(results: Results): ReadonlyMap<string, string> {
  const summary = new Summary(results.cases);
  const fit = fitResults(results);
  return new Map([
    ["taken", takenBlock(results)],
    ["bars", markdownTable(barRows(judge(summary)))],
    ["streams", streamsBlock(results)],
    ["results", resultsBlock(results, summary)],
    ["stages", stageTables(summary).map(markdownTable).join("\n\n")],
    ["limits", markdownTable(limitRows(limitsOf(results, summary)))],
    ["profile", profileBlock(results)],
    ["failures", failuresBlock(results)],
    ["costs", markdownTable(costRows(fit))],
    ["clock", markdownTable(clockRows(fit))],
    ["fitted", markdownTable(checkRows(fit.fitted))],
    ["held-out", markdownTable(checkRows(fit.heldOut))],
    ["scenarios", markdownTable(scenarioRows(results))],
  ]);
}

const ENOUGH_ROUNDS = 5;

function takenBlock(results: Results): string {
  const { takenAt, command, minutes, machine, versions } = results;
  const table = markdownTable([
    ["taken", `${takenAt.slice(0, 16).replace("T", " ")} UTC, in ${figure(minutes, 0)} minutes`],
    ["command", `\`${command}\``],
    [
      "machine",
      `${machine.cores} cores of ${machine.cpu}, ${figure(machine.memoryBytes / GIBIBYTE, 0)} GiB, ${machine.os}; load before it began ${figure(machine.loadBefore, 2)}`,
    ],
    [
      "versions",
      Object.entries(versions)
        .map(([program, version]) => `${program} ${version}`)
        .join("; "),
    ],
  ]).replace("---:", "---");
  return [table, ...doubts(results).map((doubt) => `**${doubt}**`)].join("\n\n");
}

/** What a reader must know before believing a figure. */
function doubts({ cases, machine }: Results): string[] {
  const events = cases.find(({ name }) => name === "flat")?.dataset.events ?? 0;
  const rounds = Math.max(...cases.map(({ readings }) => readings.length));
  return [
    ...(rounds < ENOUGH_ROUNDS
      ? [`Taken in ${rounds} of at least ${ENOUGH_ROUNDS} rounds: to show the page, not the product.`]
      : []),
    ...(events < FULL_SIZE_EVENTS
      ? [
          `Taken on ${figure(events, 0)} events: starting up weighs more than anything else, and no bar is meant for that.`,
        ]
      : []),
    ...(machine.loadBefore > machine.cores / 2
      ? ["The machine was busy with other work: believe processor time before rates, and ratios before either."]
      : []),
  ];
}

function streamsBlock({ cases }: Results): string {
  const datasets = new Map(cases.map(({ dataset }) => [dataset.stream, dataset]));
  const rows = [...datasets.values()].map((dataset) => [dataset.name || "main", describeDataset(dataset)]);
  return markdownTable([["stream", "holds"], ...rows]).replace("---:", "---");
}

function resultsBlock({ cases }: Results, summary: Summary): string {
  const sections = GROUPS.flatMap((group) => {
    const own = cases.filter((one) => one.group === group);
    return own.length === 0 ? [] : [`### ${HEADINGS[group]}\n\n${markdownTable(resultRows(own, summary))}`];
  });
  return [LEGEND.replaceAll("\n", " "), ...sections].join("\n\n");
}

function profileBlock(results: Results): string {
  const rows = profileRows(results);
  return rows.length === 0 ? "Not measured in this run." : markdownTable(rows);
}

function failuresBlock({ cases }: Results): string {
  const failures = cases.flatMap(({ name, failures }) =>
    failures.map((failure) => [name, failure.split("\n")[0] ?? ""]),
  );
  if (failures.length === 0) return "Every measurement ended as it should.";
  return markdownTable([["measurement", "ended with"], ...failures]).replace("---:", "---");
}
