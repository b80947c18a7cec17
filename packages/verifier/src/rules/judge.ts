import { type CelContext, whyNotEvaluated } from "@cim-replay/filter";
import { showCelValue } from "@cim-replay/filter";
import type { Rule } from "./rule.ts";
import type { RuleTally } from "./rule-tally.ts";

/** Asks a rule about one context, and counts what it says. What cannot be evaluated has not passed. */
export function judge(rule: Rule, tally: RuleTally, key: string | null, context: CelContext): void {
  let isAsked: boolean;
  let holds = false;
  try {
    isAsked = rule.when === null || isTrue(rule.when(context), "when");
    if (isAsked) holds = isTrue(rule.condition(context), "condition");
  } catch (error) {
    tally.failUnevaluated(key, whyNotEvaluated(error));
    return;
  }
  if (!isAsked) tally.skip();
  else if (holds) tally.pass();
  else tally.fail(key, () => rule.message(context));
}

function isTrue(value: unknown, what: string): boolean {
  if (typeof value === "boolean") return value;
  throw new Error(`${what} gave ${showCelValue(value)}, not true or false`);
}
