import { UsageError } from "@cim-replay/core";
import { BUCKETS } from "./command-run.ts";
import type { Case, CommandWork, Group, ProbeWork } from "./case.ts";
import { type Dataset, named } from "./dataset.ts";
import type { Datasets } from "./datasets.ts";
import type { BenchOptions } from "./options.ts";

/** Under it the peak memory of a worker must stay. */
export const MEMORY_LIMIT_BYTES = 512 * 1024 * 1024;
/** What takes a millisecond an event is measured on fewer of them. */
const PUT_PER_EVENT_SAMPLE = 20_000;
const BULLMQ_SAMPLE = 5_000;
const EMMETT_SAMPLE = 3_000;

type Command = Partial<Omit<CommandWork, "kind">>;
const FLAT = { projection: "aggregate" } as const;
const GRAPH = { projection: "graph" } as const;
const LIMITED = { ...FLAT, more: ["--memory-limit", String(MEMORY_LIMIT_BYTES)] };
const READ_THREAD = ["--read-thread", "on"];
const LIMITED_ON_DISK = { ...FLAT, more: [...LIMITED.more, "--buffer-mode", "disk"] };

/** Every case of the suite; what `domain-replay` cannot do yet is left out. */
export function casesOf(options: BenchOptions, datasets: Datasets, { hasSources }: { hasSources: boolean }): Case[] {
  const all = [
    ...mainCases(datasets.main),
    ...manyCases(datasets.many),
    ...variantCases(datasets),
    ...longCases(datasets),
  ];
  return all
    .filter(({ suites, dataset }) => suites.includes(options.suite) || (options.long && dataset === datasets.long))
    .filter(({ work }) => hasSources || work.kind !== "command" || work.source !== "shuffle")
    .map((one) => (hasSources ? one : withoutSource(one)));
}

/** What `--only` names, with the ceilings that its ratios need. Throws UsageError where a word names nothing. */
export function wanted(cases: readonly Case[], only: readonly string[]): Case[] {
  const isNamed = ({ name }: Case, word: string) =>
    word.startsWith("=") ? name === word.slice(1) : name.includes(word);
  const unknown = only.find((word) => !cases.some((one) => isNamed(one, word)));
  if (unknown !== undefined) {
    throw new UsageError(
      `Cannot measure "${unknown}": no measurement of this suite is called so. See --list, and --suite full --list.`,
    );
  }
  const chosen = cases.filter((one) => only.length === 0 || only.some((word) => isNamed(one, word)));
  const ceilings = new Set(chosen.map(({ ceiling }) => ceiling));
  return cases.filter((one) => chosen.includes(one) || ceilings.has(one.name));
}

const FULL = { suites: ["full"] } as const;
const SOMETIMES = { often: "sometimes" } as const;
const ONCE = { often: "once" } as const;

function mainCases(dataset: Dataset): Case[] {
  const { raw, command } = building(dataset, "job");
  return [
    raw,
    command("flat", FLAT),
    command("graph", GRAPH),
    ...workerCases(dataset),
    ...sourceCases(dataset),
    ...certificateCases(dataset),
    ...boundCases(dataset),
    ...probeCases(dataset),
    ...profileCases(dataset),
  ];
}

function workerCases(dataset: Dataset): Case[] {
  const { command } = building(dataset, "workers");
  const forced = (units: number): Command => ({ units, source: "direct" });
  return [
    command("flat, 1 worker", { ...FLAT, ...forced(1) }),
    command("flat, 2 workers", { ...FLAT, ...forced(2) }),
    command("graph, 1 worker", { ...GRAPH, ...forced(1) }),
    command("graph, 2 workers", { ...GRAPH, ...forced(2) }),
    command("flat, 4 workers", { ...FLAT, ...forced(4) }, { ...FULL, ...SOMETIMES }),
    command("flat, 8 workers", { ...FLAT, ...forced(8) }, { ...FULL, ...ONCE }),
  ];
}

function sourceCases(dataset: Dataset): Case[] {
  const { command } = building(dataset, "source");
  const shuffled = (units: number, workers: number): Command => ({ ...FLAT, units, workers, source: "shuffle" });
  return [
    command("shuffle, 1 worker", shuffled(1, 1), { ...FULL, ...SOMETIMES }),
    command("shuffle, 2 workers", shuffled(2, 2)),
    command("shuffle, 4 workers", shuffled(4, 4), { ...FULL, ...SOMETIMES }),
    command("shuffle, 8 workers", shuffled(8, 8), { ...FULL, ...SOMETIMES }),
    command("shuffle, 16 partitions", shuffled(16, 2)),
    command("direct, 16 units", { ...FLAT, units: 16, workers: 2, source: "direct" }, { ...FULL, ...ONCE }),
  ];
}

/** What a level costs is the difference to none; the default is counts. */
function certificateCases(dataset: Dataset): Case[] {
  const { command } = building(dataset, "certificate");
  return [
    command("flat, certify none", { ...FLAT, certify: "none" }),
    command("flat, certify content", { ...FLAT, certify: "content" }, SOMETIMES),
    command("flat, certify full", { ...FLAT, certify: "full" }),
    command("graph, certify none", { ...GRAPH, certify: "none" }),
    command("graph, certify full", { ...GRAPH, certify: "full" }, SOMETIMES),
  ];
}

function boundCases(dataset: Dataset): Case[] {
  const { command } = building(dataset, "bounds");
  const checkpoints = (every: string): Command => ({ ...FLAT, more: ["--checkpoint-interval", every] });
  return [
    command("flat, watched in the dashboard", { ...FLAT, certify: "none", watched: true }, SOMETIMES),
    command("flat, no checkpoints", checkpoints("none"), SOMETIMES),
    command("flat, checkpoint every 10000", checkpoints("10000"), SOMETIMES),
    command("flat, memory limit", LIMITED, SOMETIMES),
    command("flat, buffer disk", { ...FLAT, more: ["--buffer-mode", "disk"] }, SOMETIMES),
    command("flat, reading on a thread", { ...FLAT, more: READ_THREAD }, SOMETIMES),
    command("graph, reading on a thread", { ...GRAPH, more: READ_THREAD }, SOMETIMES),
    command("flat and graph, one pass", { ...FLAT, more: ["--projection", `graph=${BUCKETS}graph`] }, SOMETIMES),
  ];
}

function probeCases(dataset: Dataset): Case[] {
  const { events } = dataset;
  const { probe } = building(dataset, "peer");
  const stages = { ...SOMETIMES, group: "stages" } as const;
  return [
    probe("stages, flat", "stages", events, FLAT, stages),
    probe("stages, graph", "stages", events, GRAPH, stages),
    probe("hand-written fold, then put", "fold-then-put", events),
    probe("hand-written put per event", "put-per-event", Math.min(PUT_PER_EVENT_SAMPLE, events)),
    probe("BullMQ job per event", "bullmq-job-per-event", Math.min(BULLMQ_SAMPLE, events), FLAT, FULL),
    probe("emmett's rebuild", "emmett-rebuild", Math.min(EMMETT_SAMPLE, events), FLAT, FULL),
  ];
}

/** Once each: it is where the time goes that is asked, and not how much. */
function profileCases(dataset: Dataset): Case[] {
  const { command } = building(dataset, "stages");
  const profiled = (job: string, settings: Command) =>
    command(`${job}, profiled`, { ...settings, certify: "none", profiled: true }, { ...FULL, ...ONCE });
  return [
    profiled("flat", FLAT),
    profiled("graph", GRAPH),
    profiled("shuffle, 2 workers", { ...FLAT, units: 2, source: "shuffle" }),
  ];
}

function manyCases(dataset: Dataset): Case[] {
  const { raw, command } = building(dataset, "data");
  return [
    { ...raw, ...SOMETIMES },
    command("flat", FLAT, SOMETIMES),
    command("flat, buffer disk", { ...FLAT, more: ["--buffer-mode", "disk"] }, { ...FULL, ...SOMETIMES }),
    command("graph", GRAPH, SOMETIMES),
    command("flat, 1 worker", { ...FLAT, units: 1, source: "direct" }, { ...SOMETIMES, suites: ["default"] }),
    command("flat, 2 workers", { ...FLAT, units: 2, source: "direct" }, { ...SOMETIMES, suites: ["default"] }),
    command("shuffle, 2 workers", { ...FLAT, units: 2, source: "shuffle" }, SOMETIMES),
  ];
}

/** Streams that differ from the main one in a single thing. */
function variantCases({ huge, zipf, large, headed, memory, oldest, live, cluster }: Datasets): Case[] {
  const pair = (dataset: Dataset, group: Group) => {
    const { raw, command } = building(dataset, group);
    const some = { ...FULL, ...SOMETIMES };
    return [
      { ...raw, ...some },
      command("flat", FLAT, some),
      command("shuffle, 2 workers", { ...FLAT, units: 2, source: "shuffle" }, some),
    ];
  };
  const { raw, command } = building(huge, "data");
  const once = { ...FULL, ...ONCE };
  return [
    ...pair(zipf, "data"),
    ...pair(large, "data"),
    ...pair(headed, "data"),
    ...pair(live, "data"),
    { ...raw, ...once },
    command("flat", FLAT, once),
    command("flat, memory limit, states on disk", LIMITED_ON_DISK, { ...once, group: "bounds" }),
    ...pair(memory, "server"),
    ...pair(oldest, "server"),
    ...pair(cluster, "server"),
  ];
}

/** The same aggregates in a longer stream: whether memory grows with its length. */
function longCases({ long }: Datasets): Case[] {
  const { raw, command } = building(long, "bounds");
  const once = { ...FULL, ...ONCE };
  return [{ ...raw, ...once }, command("flat, memory limit", LIMITED, once)];
}

type Where = Partial<Pick<Case, "often" | "suites" | "group">>;

/** Makes cases of one stream and group; `where` says what is otherwise about one of them. */
function building(dataset: Dataset, group: Group) {
  const ceiling = named(dataset, "raw read");
  const one = (name: string, work: Case["work"], where: Where): Case => ({
    name: named(dataset, name),
    group,
    dataset,
    ceiling,
    work,
    often: "always",
    suites: ["default", "full"],
    ...where,
  });
  const command = (name: string, settings: Command, where: Where = {}) =>
    one(name, { kind: "command", ...FLAT, ...settings }, where);
  const probe = (
    name: string,
    program: ProbeWork["program"],
    events: number,
    { projection }: Pick<ProbeWork, "projection"> = FLAT,
    where: Where = {},
  ) => one(name, { kind: "probe", program, events, projection }, where);
  return { raw: probe("raw read", "raw-read", dataset.events), command, probe };
}

function withoutSource(one: Case): Case {
  if (one.work.kind !== "command") return one;
  const { source: _, ...work } = one.work;
  return { ...one, work };
}
