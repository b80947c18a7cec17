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

/** What `--only` names, with the ceilings that its ratios need. */
export function wanted(cases: readonly Case[], only: readonly string[]): Case[] {
  const chosen = cases.filter(({ name }) => only.length === 0 || only.some((word) => name.includes(word)));
  const ceilings = new Set(chosen.map(({ ceiling }) => ceiling));
  return cases.filter((one) => chosen.includes(one) || ceilings.has(one.name));
}

function mainCases(dataset: Dataset): Case[] {
  const { raw, command, probe } = building(dataset, "job");
  const forced = (units: number): Command => ({ units, source: "direct" });
  const shuffled = (units: number, workers: number): Command => ({ ...FLAT, units, workers, source: "shuffle" });
  const full = { suites: ["full"] } as const;
  return [
    raw,
    command("job", "flat", FLAT),
    command("job", "graph", GRAPH),
    command("workers", "flat, 1 worker", { ...FLAT, ...forced(1) }),
    command("workers", "flat, 2 workers", { ...FLAT, ...forced(2) }),
    command("workers", "graph, 1 worker", { ...GRAPH, ...forced(1) }),
    command("workers", "graph, 2 workers", { ...GRAPH, ...forced(2) }),
    command("workers", "flat, 4 workers", { ...FLAT, ...forced(4) }, { ...full, often: "sometimes" }),
    command("workers", "flat, 8 workers", { ...FLAT, ...forced(8) }, { ...full, often: "once" }),
    command("source", "shuffle, 1 worker", shuffled(1, 1), { ...full, often: "sometimes" }),
    command("source", "shuffle, 2 workers", shuffled(2, 2)),
    command("source", "shuffle, 4 workers", shuffled(4, 4), { ...full, often: "sometimes" }),
    command("source", "shuffle, 8 workers", shuffled(8, 8), { ...full, often: "sometimes" }),
    command("source", "shuffle, 16 partitions", shuffled(16, 2)),
    command("source", "direct, 16 units", { ...FLAT, ...forced(16), workers: 2 }, { ...full, often: "once" }),
    // The cost of a level is the difference to none; the default is counts.
    command("certificate", "flat, certify none", { ...FLAT, certify: "none" }),
    command("certificate", "flat, certify content", { ...FLAT, certify: "content" }, { often: "sometimes" }),
    command("certificate", "flat, certify full", { ...FLAT, certify: "full" }),
    command("certificate", "graph, certify none", { ...GRAPH, certify: "none" }),
    command("certificate", "graph, certify full", { ...GRAPH, certify: "full" }, { often: "sometimes" }),
    command(
      "bounds",
      "flat, watched in the dashboard",
      { ...FLAT, certify: "none", watched: true },
      { often: "sometimes" },
    ),
    command(
      "bounds",
      "flat, no checkpoints",
      { ...FLAT, more: ["--checkpoint-interval", "none"] },
      { often: "sometimes" },
    ),
    command(
      "bounds",
      "flat, checkpoint every 10000",
      { ...FLAT, more: ["--checkpoint-interval", "10000"] },
      { often: "sometimes" },
    ),
    command("bounds", "flat, memory limit", LIMITED, { often: "sometimes" }),
    probe("stages", "stages, flat", "stages", dataset.events, FLAT, { often: "sometimes" }),
    probe("stages", "stages, graph", "stages", dataset.events, GRAPH, { often: "sometimes" }),
    probe("peer", "hand-written fold, then put", "fold-then-put", dataset.events),
    probe("peer", "hand-written put per event", "put-per-event", Math.min(PUT_PER_EVENT_SAMPLE, dataset.events)),
    probe("peer", "BullMQ job per event", "bullmq-job-per-event", Math.min(BULLMQ_SAMPLE, dataset.events), FLAT, full),
    probe("peer", "emmett's rebuild", "emmett-rebuild", Math.min(EMMETT_SAMPLE, dataset.events), FLAT, full),
  ];
}

function manyCases(dataset: Dataset): Case[] {
  const { raw, command } = building(dataset, "data");
  const sometimes = { often: "sometimes" } as const;
  return [
    { ...raw, ...sometimes },
    command("data", "flat", FLAT, sometimes),
    command("data", "graph", GRAPH, sometimes),
    command("data", "flat, 1 worker", { ...FLAT, units: 1, source: "direct" }, { ...sometimes, suites: ["default"] }),
    command("data", "flat, 2 workers", { ...FLAT, units: 2, source: "direct" }, { ...sometimes, suites: ["default"] }),
    command("data", "shuffle, 2 workers", { ...FLAT, units: 2, source: "shuffle" }, sometimes),
  ];
}

/** Streams that differ from the main one in a single thing. */
function variantCases({ huge, zipf, large, memory, oldest, live, cluster }: Datasets): Case[] {
  const pair = (dataset: Dataset, group: Group) => {
    const { raw, command } = building(dataset, group);
    const some = { suites: ["full"], often: "sometimes" } as const;
    return [
      { ...raw, ...some },
      command(group, "flat", FLAT, some),
      command(group, "shuffle, 2 workers", { ...FLAT, units: 2, source: "shuffle" }, some),
    ];
  };
  const { raw, command } = building(huge, "data");
  const once = { suites: ["full"], often: "once" } as const;
  return [
    ...pair(zipf, "data"),
    ...pair(large, "data"),
    ...pair(live, "data"),
    { ...raw, ...once },
    command("data", "flat", FLAT, once),
    command("bounds", "flat, memory limit, states on disk", LIMITED_ON_DISK, once),
    ...pair(memory, "server"),
    ...pair(oldest, "server"),
    ...pair(cluster, "server"),
  ];
}

/** The same aggregates in a longer stream: whether memory grows with its length. */
function longCases({ long }: Datasets): Case[] {
  const { raw, command } = building(long, "bounds");
  const once = { suites: ["full"], often: "once" } as const;
  return [{ ...raw, ...once }, command("bounds", "flat, memory limit", LIMITED, once)];
}

type Where = Partial<Pick<Case, "often" | "suites">>;

function building(dataset: Dataset, rawGroup: Group) {
  const ceiling = named(dataset, "raw read");
  const one = (group: Group, name: string, work: Case["work"], where: Where): Case => ({
    name: named(dataset, name),
    group,
    dataset,
    ceiling,
    work,
    often: "always",
    suites: ["default", "full"],
    ...where,
  });
  const command = (group: Group, name: string, settings: Command, where: Where = {}) =>
    one(group, name, { kind: "command", ...FLAT, ...settings }, where);
  const probe = (
    group: Group,
    name: string,
    program: ProbeWork["program"],
    events: number,
    { projection }: Pick<ProbeWork, "projection"> = FLAT,
    where: Where = {},
  ) => one(group, name, { kind: "probe", program, events, projection }, where);
  return { raw: probe(rawGroup, "raw read", "raw-read", dataset.events), command, probe };
}

function withoutSource(one: Case): Case {
  if (one.work.kind !== "command") return one;
  const { source: _, ...work } = one.work;
  return { ...one, work };
}
