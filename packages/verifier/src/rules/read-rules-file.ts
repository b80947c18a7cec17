import { createReadStream } from "node:fs";
import { errorMessage, UsageError } from "@cim-replay/core";
import { RULES_LIMITS } from "./limits.ts";
import { parseRules } from "./parse-rules.ts";
import type { RuleSet } from "./rule.ts";

/** Rules from a file of YAML, called by its path. Throws UsageError where it cannot be read, or naming all mistakes in it. */
export async function readRulesFile(path: string): Promise<RuleSet> {
  return parseRules(await readText(path), path);
}

/** No more than one byte beyond what is allowed, whatever stands behind the path. */
async function readText(path: string): Promise<string> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of createReadStream(path, { end: RULES_LIMITS.fileBytes })) chunks.push(chunk as Buffer);
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw new UsageError(
      `Cannot read the rules in ${path}: ${errorMessage(error)}. Name a file of rules with --rules.`,
    );
  }
}
