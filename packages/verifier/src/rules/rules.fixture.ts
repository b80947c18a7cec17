import { entryKey } from "@cim-replay/core";
import type { Entry } from "@cim-replay/nats";
import { CollectStep } from "./collect-step.ts";
import { EntryRun } from "./entry-run.ts";
import { EntryRuleStep, type EntryStep } from "./entry-step.ts";
import { parseRules } from "./parse-rules.ts";
import type { RuleSet } from "./rule.ts";
import type { Guard } from "./time-guard.ts";
import type { RuleResult } from "./validation.ts";

/** One rule as YAML, of the lines that matter; the rest is filled in. */
export function ruleText(lines: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ name: "r", condition: "true", message: "m", ...lines });
}

export function ruleSet(...rules: readonly Readonly<Record<string, unknown>>[]): RuleSet {
  return parseRules(`version: 1\nrules: [${rules.map(ruleText).join(", ")}]`, "rules.yaml");
}

/** An entry of domain `shop`, as the bucket would give it; texts are values already. */
export function entry(id: string, value: unknown, events: number | null = 1): Entry {
  return {
    key: entryKey("shop", id),
    revision: 1,
    deleted: false,
    provenance: events === null ? null : { run: "r1", epoch: 1, lastSeq: 10 * events, events, sha256: "" },
    value: Buffer.from(typeof value === "string" ? value : JSON.stringify(value)),
  };
}

/** Throws what ends the work in the place of a clock: no test of the rules depends on how fast the machine is. */
export function stopHere(): never {
  throw STOPPED;
}
const STOPPED = new Error("stopped here");

const clockless: Guard = {
  finishes(work) {
    try {
      work();
      return true;
    } catch (error) {
      if (error === STOPPED) return false;
      throw error;
    }
  },
};

/** What the rules say of entries, without any server. Of whole domains: that there are three entries. */
export function judged(
  rules: Pick<RuleSet, "rules">,
  entries: readonly Entry[],
  { guard, budgetMs }: { guard: Guard; budgetMs: number } = { guard: clockless, budgetMs: 0 },
): readonly RuleResult[] {
  const steps: EntryStep[] = rules.rules.map((rule) =>
    rule.scope === "entry" ? new EntryRuleStep(rule) : new CollectStep(rule, guard),
  );
  const [readable] = ruleSet({ name: "entry-is-json" }).rules;
  if (!readable) throw new Error("no rule");
  const reading = new EntryRuleStep(readable);
  new EntryRun(reading, steps, budgetMs, guard).take(entries);
  const whole = { entries: BigInt(entries.length) };
  return [reading, ...steps].map((step) => step.result({ domain: whole, counts: whole }));
}
