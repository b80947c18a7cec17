import { z } from "zod";
import { ReplayError } from "./errors.ts";
import { pinnedFilterSchema } from "./event-filter.ts";
import { domainSettingsSchema } from "./settings.ts";

/**
 * A run's life: `planned → running → verifying → completed`; `running ↔ paused`; `verifying → paused` calls the look at it off.
 * Any of the first four ends as `failed` or `cancelled`. `failed` goes back to `running` when it is resumed; `completed`
 * and `cancelled` are final.
 */
export const RUN_STATES = ["planned", "running", "paused", "verifying", "completed", "failed", "cancelled"] as const;
export type RunState = (typeof RUN_STATES)[number];

const runTransitions: Record<RunState, readonly RunState[]> = {
  planned: ["running", "failed", "cancelled"],
  running: ["paused", "verifying", "failed", "cancelled"],
  paused: ["running", "failed", "cancelled"],
  verifying: ["completed", "failed", "cancelled", "running", "paused"],
  failed: ["running", "cancelled"],
  completed: [],
  cancelled: [],
};

/** Each checks what the one before it does, and more. */
export const CERTIFICATE_LEVELS = ["counts", "content", "full"] as const;
export type CertificateLevel = (typeof CERTIFICATE_LEVELS)[number];

const positive = z.int().positive();

const projectionRefSchema = z.strictObject({
  name: z.string(),
  source: z.enum(["builtin", "file"]),
  path: z.string().nullable(),
  sha256: z.string(),
});

/** What a run does and how, pinned when it is planned: `--resume` needs nothing else. */
export const runSettingsSchema = z.strictObject({
  domain: z.string(),
  domainSettings: domainSettingsSchema,
  /** Null: the whole domain. */
  aggregateId: z.string().nullable(),
  /** Go on from what each entry's provenance says, instead of rebuilding from nothing. */
  continueFromEntries: z.boolean(),
  fromSeq: positive.nullable(),
  toSeq: positive.nullable(),
  /** Milliseconds since the epoch, both ends included. */
  fromTimeMs: z.number().nullable(),
  toTimeMs: z.number().nullable(),
  timeBasis: z.enum(["event", "server"]),
  /** Of a selective replay: what it takes, its times and domains being settings of the run too. Null: everything. */
  filter: pinnedFilterSchema.nullable().default(null),
  target: z.string(),
  projection: projectionRefSchema,
  /** Further projections that the same pass folds, each into a bucket of its own; see `targets.ts`. */
  otherTargets: z.array(z.strictObject({ target: z.string(), projection: projectionRefSchema })).default([]),
  /** Upper bound on partitions and so on units at work. */
  parallel: positive,
  /** How events come to the units that fold them; see `source` of the plan. "auto": the planner's choice. */
  source: z.enum(["auto", "direct", "shuffle"]).default("auto"),
  /** Forces the number of units; null: the planner's choice. */
  units: positive.nullable(),
  /** Messages handled between two turns of the event loop. */
  batchSize: positive,
  /** Messages asked of the server ahead of the fold, and at most how many wait in the worker. */
  prefetch: positive,
  bufferSize: positive,
  memoryLimitBytes: positive.nullable(),
  /** Where aggregates wait for their next event: "disk": those that have had none for the longest time; "auto": on disk when memory nears its limit. */
  bufferMode: z.enum(["auto", "memory", "disk"]).default("memory"),
  /** Events between forced garbage collections; null: never forced. */
  gcInterval: positive.nullable(),
  /** Who splits what comes from the server: "own" falls back to the client library's parser where it cannot. */
  reader: z.enum(["own", "library"]).default("own"),
  /** Events of a unit between checkpoints; "auto": by time and by what they cost; null: none. */
  checkpointInterval: z.union([positive, z.literal("auto")]).nullable(),
  /** Events that all units together fold in a second at most; null: as fast as it goes. Changed by `tune-replay`. */
  maxRate: positive.nullable().default(null),
  /** Bytes that all units together read of the stream in a second at most. */
  maxBytesRate: positive.nullable().default(null),
  /** The coordinator slows the run while others that the server serves suffer; see docs/throttling.md. */
  adaptiveRate: z.boolean().default(false),
  skipErrors: z.int().nonnegative(),
  prune: z.boolean(),
  /** How much is proved at the run's end; see docs/certificate.md. */
  certify: z.enum(["none", ...CERTIFICATE_LEVELS]).default("none"),
});
export type RunSettings = z.infer<typeof runSettingsSchema>;

const backupSchema = z.strictObject({ file: z.string().nullable(), note: z.string().nullable() });

const targetSummarySchema = z.strictObject({
  aggregates: z.int(),
  quarantined: z.int(),
  entriesWritten: z.int(),
  entriesUnchanged: z.int(),
  orphans: z.int(),
  pruned: z.int(),
});

export const runRecordSchema = z.strictObject({
  version: z.literal(1),
  id: z.string(),
  command: z.string(),
  state: z.enum(RUN_STATES),
  /** Why it is in this state, for people; null where the state says it all. */
  reason: z.string().nullable(),
  settings: runSettingsSchema,
  createdAt: z.iso.datetime(),
  startedAt: z.iso.datetime().nullable(),
  endedAt: z.iso.datetime().nullable(),
  coordinator: z.strictObject({ id: z.string(), host: z.string(), pid: z.int() }),
  /** What the target held before the run: the archive, or why there is none; null in records of older versions. */
  backup: backupSchema.nullable().default(null),
  /** The same of `settings.otherTargets`, in their order. */
  otherBackups: z.array(backupSchema).default([]),
  /** Where its rate adapts: events that all units together may take in a second now, null: as many as they can; and why. */
  adaptive: z
    .strictObject({
      maxRate: positive.nullable(),
      reason: z.string().nullable(),
      /** The most that the run has done, while it is held back: it is let go when it may do that again. */
      peak: positive.nullable().default(null),
    })
    .nullable()
    .default(null),
  /** Set when the run ends: what `replay-status` shows afterwards. */
  summary: z
    .strictObject({
      events: z.int(),
      aggregates: z.int(),
      quarantined: z.int(),
      entriesWritten: z.int(),
      entriesUnchanged: z.int(),
      orphans: z.int(),
      pruned: z.int(),
      seconds: z.number(),
      eventsPerSecond: z.number(),
      findings: z.array(z.string()),
      /** What the verifier found; null where nothing was asked of it, or the run ended before. */
      certificate: z
        .strictObject({ level: z.enum(CERTIFICATE_LEVELS), holds: z.boolean(), discrepancies: z.int() })
        .nullable()
        .default(null),
      /** Only of a run with several: of each target by itself, in the run's order; what stands above is of all together. */
      targets: z.array(targetSummarySchema).optional(),
    })
    .nullable(),
});
export type RunRecord = z.infer<typeof runRecordSchema>;
export type RunSummary = NonNullable<RunRecord["summary"]>;
export type TargetSummary = z.infer<typeof targetSummarySchema>;
export type RunBackup = NonNullable<RunRecord["backup"]>;

/** What holds a run back now: what was asked for, and what others' suffering asks for. */
export function ratesOf({ settings, adaptive }: Pick<RunRecord, "settings" | "adaptive">) {
  const { maxRate, maxBytesRate, adaptiveRate } = settings;
  // Where it was switched off a moment ago, what it had come to still stands there.
  const adapted = (adaptiveRate ? adaptive?.maxRate : null) ?? null;
  const both = [maxRate, adapted].filter((rate) => rate !== null);
  return { maxRate: both.length > 0 ? Math.min(...both) : null, maxBytesRate, maxEntriesRate: adapted };
}

/** Throws where the state machine has no such step. */
export function moveRun(run: RunRecord, to: RunState, reason: string | null = null): RunRecord {
  if (!runTransitions[run.state].includes(to)) {
    throw new ReplayError(
      `Cannot move run ${run.id} from ${run.state} to ${to}: there is no such step. See \`replay-status --run ${run.id}\`.`,
    );
  }
  return { ...run, state: to, reason };
}

/** Not ended, or ended in a way that `--resume` can mend. */
export function isUnfinished(run: RunRecord): boolean {
  return run.state !== "completed" && run.state !== "cancelled";
}

/** Held by the coordinator of the one run that may write a domain into a target. */
export const leaseSchema = z.strictObject({
  version: z.literal(1),
  runId: z.string(),
  coordinatorId: z.string(),
  /** Rises with every renewal. */
  renewal: z.int().nonnegative(),
  ttlMs: positive,
});
export type Lease = z.infer<typeof leaseSchema>;
