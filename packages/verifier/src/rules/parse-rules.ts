import { createHash } from "node:crypto";
import { formatSize, UsageError } from "@cim-replay/core";
import { RULES_LIMITS } from "./limits.ts";
import { readRules } from "./read-rules.ts";
import type { RuleSet } from "./rule.ts";
import { type YamlMistake, YamlSource } from "@cim-replay/filter";

/**
 * Reads the YAML text of rules. `source`: how it is called in reports and mistakes. Throws UsageError naming every
 * mistake of the text with its line and column.
 */
export function parseRules(text: string, source: string): RuleSet {
  if (Buffer.byteLength(text) > RULES_LIMITS.fileBytes) {
    const most = formatSize(RULES_LIMITS.fileBytes);
    throw new UsageError(`Cannot use the rules: ${source} is larger than ${most}. Split it over several files.`);
  }
  const { rules, mistakes } = readRules(new YamlSource(text));
  if (mistakes.length > 0) throw mistaken(mistakes, source);
  return { source, sha256: createHash("sha256").update(text).digest("hex"), rules };
}

function mistaken(mistakes: readonly YamlMistake[], source: string): UsageError {
  const sorted = mistakes.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const lines = sorted.map(({ line, column, message }) => `${source}:${line}:${column} ${message.replace(/\.$/, "")}.`);
  if (lines.length === 1) return new UsageError(`Cannot use the rules: ${lines[0]} See docs/rules.md.`);
  const title = `Cannot use the rules: there are ${lines.length} mistakes. See docs/rules.md.`;
  return new UsageError([title, ...lines].join("\n"));
}
