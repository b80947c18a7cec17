import type { Case } from "./case.ts";
import { flagsOf } from "./case.ts";
import type { Dataset } from "./dataset.ts";
import { aligned, figure } from "./report.ts";

/** What would be measured, and on what. */
export function listOf(cases: readonly Case[]): string {
  const datasets = [...new Set(cases.map(({ dataset }) => dataset))];
  const rows = cases.map(({ name, group, often, work, dataset }) => [
    name,
    group,
    often,
    work.kind === "command"
      ? `domain-replay ${flagsOf(work).join(" ")}${work.watched ? ", watched" : ""}`
      : `${work.program}, ${figure(work.events, 0)} events of ${dataset.stream}`,
  ]);
  const streams = datasets.map((dataset) => [dataset.stream, describeDataset(dataset)]);
  const head = ["measurement", "group", "rounds", ""];
  return [aligned([["stream", ""], ...streams], "left"), aligned([head, ...rows], "left")].join("\n\n");
}

/** In words, for people. */
export function describeDataset(dataset: Dataset): string {
  const { events, aggregates, skew, eventBytes, headers, storage, server, livePerSecond } = dataset;
  return [
    `${figure(events, 0)} events of ${figure(eventBytes, 0)} B${headers ? " and headers" : ""}`,
    `${figure(aggregates, 0)} aggregates`,
    skew === 0 ? "uniform" : `Zipf ${skew}`,
    `in ${storage === "file" ? "files" : "memory"}`,
    ...(server === "oldest" ? ["nats-server of the oldest line"] : []),
    ...(server === "cluster" ? ["replicated by three servers"] : []),
    ...(livePerSecond > 0 ? [`${figure(livePerSecond, 0)} more events/s meanwhile`] : []),
  ].join(", ");
}
