import type { Bench } from "./bench-setup.ts";
import { runCommand } from "./command-run.ts";
import type { Dataset } from "./dataset.ts";
import { runProbe } from "./probe.ts";
import { oneAfterTheOther, type Reading } from "./reading.ts";
import { whileWatched } from "./watched.ts";

export interface Measurement {
  readonly name: string;
  /** What it reads. */
  readonly dataset: Dataset;
  /** Name of the measurement that its rates are a ratio of. */
  readonly ceiling: string;
  measure(): Promise<Reading>;
}

/** Under it the peak memory of a worker must stay. */
export const MEMORY_LIMIT_BYTES = 512 * 1024 * 1024;
const PUT_PER_EVENT_SAMPLE = 20_000;

const FLAT = ["--projection", "aggregate"];
const GRAPH = ["--projection", "graph"];

/** Everything that is measured on the stream that the bars are about. */
export function mainMeasurements(bench: Bench, dataset: Dataset): Measurement[] {
  const watched = ({ measure, ...rest }: Measurement) => ({ ...rest, measure: () => whileWatched(bench, measure) });
  const { raw, command, probe } = measuring(bench, dataset, "");
  return [
    raw,
    ...wholeJob(command),
    // One pass whatever the number of partitions, against a pass for each unit.
    ...[2, 16].map((partitions) =>
      command(`flat, shuffle, ${partitions} partitions`, [...FLAT, ...shuffled(partitions)]),
    ),
    command("flat, direct, 16 units", [
      ...FLAT,
      "--source",
      "direct",
      "--parallel",
      "16",
      "--units",
      "16",
      ...TWO_WORKERS,
    ]),
    // The cost of a level is the difference to none; the default is counts.
    ...["none", "counts", "content", "full"].map((level) =>
      command(`flat, certify ${level}`, [...FLAT, "--certify", level]),
    ),
    watched(command("flat, watched in the dashboard", [...FLAT, "--certify", "none"])),
    command("graph, certify none", [...GRAPH, "--certify", "none"]),
    command("graph, certify full", [...GRAPH, "--certify", "full"]),
    command("flat, no checkpoints", [...FLAT, "--checkpoint-interval", "none"]),
    command("flat, checkpoint every 10000", [...FLAT, "--checkpoint-interval", "10000"]),
    command("flat, memory limit", [...FLAT, "--memory-limit", String(MEMORY_LIMIT_BYTES)]),
    ...twoProjections(bench, dataset, raw.name),
    probe("hand-written fold, then put", "fold-then-put", dataset.events),
    probe("hand-written put per event", "put-per-event", Math.min(PUT_PER_EVENT_SAMPLE, dataset.events)),
  ];
}

export function manyMeasurements(bench: Bench, dataset: Dataset): Measurement[] {
  const { raw, command } = measuring(bench, dataset, "many: ");
  return [raw, ...wholeJob(command)];
}

/** The same aggregates in a longer stream: whether memory grows with its length. */
export function longMeasurements(bench: Bench, dataset: Dataset): Measurement[] {
  const { raw, command } = measuring(bench, dataset, "long: ");
  return [raw, command("flat, memory limit", [...FLAT, "--memory-limit", String(MEMORY_LIMIT_BYTES)])];
}

const TWO_WORKERS = ["--local-workers", "2"];

function shuffled(partitions: number): string[] {
  return ["--source", "shuffle", "--parallel", String(partitions), ...TWO_WORKERS];
}

/** What the second reading and decoding cost. */
function twoProjections(bench: Bench, dataset: Dataset, ceiling: string): Measurement[] {
  const other = "bench-other";
  const both = [...FLAT, "--projection", `graph=${other}`];
  return [
    {
      name: "two projections, one pass",
      ...{ dataset, ceiling },
      measure: () => runCommand(bench, dataset, both, [other]),
    },
    {
      name: "two projections, two runs",
      ...{ dataset, ceiling },
      measure: async () =>
        oneAfterTheOther(await runCommand(bench, dataset, FLAT), await runCommand(bench, dataset, GRAPH)),
    },
  ];
}

type CommandMeasurement = (name: string, flags: readonly string[]) => Measurement;

function wholeJob(command: CommandMeasurement): Measurement[] {
  const forced = (workers: number) => [
    "--source",
    "direct",
    "--units",
    String(workers),
    "--local-workers",
    String(workers),
  ];
  return [
    command("flat", FLAT),
    command("flat, 1 worker", [...FLAT, ...forced(1)]),
    command("flat, 2 workers", [...FLAT, ...forced(2)]),
    command("graph", GRAPH),
    command("graph, 1 worker", [...GRAPH, ...forced(1)]),
    command("graph, 2 workers", [...GRAPH, ...forced(2)]),
  ];
}

function measuring(bench: Bench, dataset: Dataset, prefix: string) {
  const ceiling = `${prefix}raw read`;
  const command: CommandMeasurement = (name, flags) => ({
    name: `${prefix}${name}`,
    ceiling,
    dataset,
    measure: () => runCommand(bench, dataset, flags),
  });
  const probe = (name: string, file: Parameters<typeof runProbe>[1], events: number): Measurement => ({
    name: `${prefix}${name}`,
    ceiling,
    dataset,
    measure: () => runProbe(bench, file, dataset, events),
  });
  return { raw: probe("raw read", "raw-read", dataset.events), command, probe };
}
