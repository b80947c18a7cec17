import { AGGREGATE_RULES } from "./builtin/aggregate.ts";
import { GRAPH_RULES } from "./builtin/graph.ts";
import { WORKFLOW_RULES } from "./builtin/workflow.ts";
import { parseRules } from "./parse-rules.ts";
import type { RuleSet } from "./rule.ts";

const TEXTS: ReadonlyMap<string, string> = new Map([
  ["graph", GRAPH_RULES],
  ["workflow", WORKFLOW_RULES],
  ["aggregate", AGGREGATE_RULES],
]);

/** Rules for what a built-in projection writes; null for any other's values. */
export function builtinRules(projection: string): RuleSet | null {
  const text = TEXTS.get(projection);
  return text === undefined ? null : parseRules(text, `built-in rules for ${projection}`);
}
