import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { errorMessage, UsageError } from "@cim-replay/core";
import { z } from "zod";
import { GROUPS, workSchema } from "./case.ts";
import { readingSchema } from "./reading.ts";

const datasetSchema = z.object({
  name: z.string(),
  stream: z.string(),
  events: z.int(),
  aggregates: z.int(),
  skew: z.number(),
  eventBytes: z.int(),
  storage: z.enum(["file", "memory"]),
  server: z.enum(["newest", "oldest", "cluster"]),
  livePerSecond: z.number(),
  /** Readings of before there were such streams do not say. */
  headers: z.boolean().default(false),
});

const caseResultSchema = z.object({
  name: z.string(),
  group: z.enum(GROUPS),
  dataset: datasetSchema,
  ceiling: z.string(),
  work: workSchema,
  readings: z.array(readingSchema),
  /** What each measurement ended with that was none. */
  failures: z.array(z.string()),
});

/** A run of the bench: every single reading, and on what it was taken. */
const resultsSchema = z.object({
  takenAt: z.iso.datetime(),
  command: z.string(),
  minutes: z.number(),
  machine: z.object({
    cores: z.int(),
    cpu: z.string(),
    memoryBytes: z.int(),
    os: z.string(),
    /** Load of the last minute before it began: what else the machine did. */
    loadBefore: z.number(),
  }),
  /** By program; of nats-server also the oldest line, where it was measured. */
  versions: z.record(z.string(), z.string()),
  cases: z.array(caseResultSchema),
});

export type Results = z.infer<typeof resultsSchema>;
export type CaseResult = z.infer<typeof caseResultSchema>;

/** Throws UsageError where the file is not there, or another. */
export async function readResults(file: string): Promise<Results> {
  const parsed = resultsSchema.safeParse(await readJson(file));
  if (parsed.success) return parsed.data;
  throw new UsageError(`Cannot use ${file}: it holds no readings of this bench.\n${z.prettifyError(parsed.error)}`);
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new UsageError(`Cannot use ${file}: ${errorMessage(error)}. Name a file of bench-results/.`, {
      cause: error,
    });
  }
}

export async function writeResults(file: string, results: Results): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(rounded(results), null, 1)}\n`);
}

/** No clock here is good for more than six digits. */
function rounded(value: unknown): unknown {
  if (typeof value === "number") return Number.isInteger(value) ? value : Number(value.toPrecision(6));
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, rounded(inner)]));
}
