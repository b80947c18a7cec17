import { createReadStream } from "node:fs";
import { errorMessage, type EventFilter, formatSize, UsageError } from "@cim-replay/core";
import type { z } from "zod";
import { compileCondition } from "./condition.ts";
import { CRITERIA, filterFileSchema } from "./filter-schema.ts";
import { type YamlMistake, YamlSource } from "./yaml-source.ts";

const MOST_BYTES = 1024 * 1024;
const PAGE = "docs/selective-replay.md";

/** A filter from a file of JSON or YAML. Throws UsageError where it cannot be read, or naming all mistakes in it. */
export async function readFilterFile(path: string): Promise<EventFilter> {
  return parseFilter(await readText(path), path);
}

/** `source`: how the text is called in mistakes. Throws UsageError naming every mistake with its line and column. */
export function parseFilter(text: string, source: string): EventFilter {
  const yaml = new YamlSource(text);
  const read = yaml.read();
  if (!("value" in read)) throw mistaken(read, source);
  if (isEmpty(read.value)) {
    throw new UsageError(
      `Cannot use the filter ${source}: it asks for nothing. Name one of ${CRITERIA.join(", ")}. See ${PAGE}.`,
    );
  }
  const { data, error } = filterFileSchema.safeParse(read.value);
  const mistakes = [
    ...(error?.issues ?? []).flatMap((issue) => mistakesOf(issue, yaml)),
    ...conditionMistakes(read.value, yaml),
  ];
  if (data && mistakes.length === 0) return data;
  throw mistaken(mistakes, source);
}

async function readText(path: string): Promise<string> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of createReadStream(path, { end: MOST_BYTES })) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    if (bytes.length > MOST_BYTES) throw new Error(`it is larger than ${formatSize(MOST_BYTES)}`);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new UsageError(`Cannot read the filter in ${path}: ${errorMessage(error)}. Name a file with --filter.`);
  }
}

function isEmpty(value: unknown): boolean {
  return value === null || (typeof value === "object" && !Array.isArray(value) && Object.keys(value).length === 0);
}

/** Looked at whatever else is wrong, so that everything is told at once. */
function conditionMistakes(value: unknown, yaml: YamlSource): YamlMistake[] {
  if (typeof value !== "object" || value === null || !("condition" in value)) return [];
  const { condition } = value;
  if (typeof condition !== "string" || condition === "") return [];
  const compiled = compileCondition(condition);
  if (typeof compiled === "function") return [];
  return [yaml.mistakeAt(["condition"], `condition: ${compiled.message}`, compiled.offset)];
}

function mistakesOf(issue: z.core.$ZodIssue, yaml: YamlSource): YamlMistake[] {
  const { path } = issue;
  if (issue.code === "unrecognized_keys") {
    const known = path.length === 0 ? CRITERIA : ["start", "end"];
    return issue.keys.map((key) =>
      yaml.mistakeAtKey(path, key, `${key}: there is no such key here, only ${known.join(", ")}`),
    );
  }
  const where = path.length === 0 ? "" : `${path.map(String).join(".")}: `;
  return [yaml.mistakeAt(path, where + issue.message)];
}

function mistaken(mistakes: readonly YamlMistake[], source: string): UsageError {
  const sorted = mistakes.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const lines = sorted.map(({ line, column, message }) => `${source}:${line}:${column} ${message.replace(/\.$/, "")}.`);
  if (lines.length === 1) return new UsageError(`Cannot use the filter: ${lines[0]} See ${PAGE}.`);
  return new UsageError(
    [`Cannot use the filter: there are ${lines.length} mistakes. See ${PAGE}.`, ...lines].join("\n"),
  );
}
