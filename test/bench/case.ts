import { z } from "zod";
import type { Dataset } from "./dataset.ts";
import type { SuiteName } from "./options.ts";

export const GROUPS = [
  "job",
  "certificate",
  "workers",
  "source",
  "data",
  "server",
  "bounds",
  "stages",
  "peer",
] as const;

/** A `domain-replay` with these settings. */
const commandSchema = z.object({
  kind: z.literal("command"),
  projection: z.enum(["aggregate", "graph"]),
  /** Forced: so many units, and as many workers where `workers` does not say another number; absent: the planner's choice. */
  units: z.int().optional(),
  workers: z.int().optional(),
  source: z.enum(["direct", "shuffle"]).optional(),
  certify: z.enum(["none", "counts", "content", "full"]).optional(),
  /** With a dashboard open on it. */
  watched: z.boolean().optional(),
  /** Its workers under Node's own profiler. */
  profiled: z.boolean().optional(),
  more: z.array(z.string()).optional(),
});

/** A program of `probes/` or `peers/` over the first `events` of the stream. */
const probeSchema = z.object({
  kind: z.literal("probe"),
  program: z.enum(["raw-read", "fold-then-put", "put-per-event", "stages", "bullmq-job-per-event", "emmett-rebuild"]),
  events: z.int(),
  projection: z.enum(["aggregate", "graph"]),
});

export const workSchema = z.discriminatedUnion("kind", [commandSchema, probeSchema]);

export type CommandWork = z.infer<typeof commandSchema>;
export type ProbeWork = z.infer<typeof probeSchema>;
type Work = z.infer<typeof workSchema>;
export type Group = (typeof GROUPS)[number];

/** One thing that is measured: on what, how, and what its rates are a ratio of. */
export interface Case {
  readonly name: string;
  readonly group: Group;
  readonly dataset: Dataset;
  /** Name of the raw read of the same stream. */
  readonly ceiling: string;
  readonly work: Work;
  /** In how many of the rounds: all of them, those for variants, or one because it takes long. */
  readonly often: "always" | "sometimes" | "once";
  readonly suites: readonly SuiteName[];
}

/** The command's flags. */
export function flagsOf({ projection, units, workers, source, certify, more = [] }: CommandWork): string[] {
  return [
    ...["--projection", projection],
    // A run has as many partitions as it may have at work: fewer could not be dealt to so many units.
    ...(units === undefined ? [] : ["--units", String(units), "--parallel", String(units)]),
    ...((workers ?? units) === undefined ? [] : ["--local-workers", String(workers ?? units)]),
    ...(source === undefined ? [] : ["--source", source]),
    ...(certify === undefined ? [] : ["--certify", certify]),
    ...more,
  ];
}
