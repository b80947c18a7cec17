import { plainLine } from "@cim-replay/filter";
import { EXAMPLES_PER_RULE } from "./limits.ts";
import type { Rule } from "./rule.ts";
import type { Example, RuleResult } from "./validation.ts";

/** Counts how a rule fares; of what fails the first examples are kept. */
export class RuleTally {
  readonly #rule: Pick<Rule, "name" | "description" | "scope" | "severity">;
  readonly #examples: Example[] = [];
  #checked = 0;
  #skipped = 0;
  #failed = 0;
  #notEvaluated = 0;

  constructor(rule: Pick<Rule, "name" | "description" | "scope" | "severity">) {
    this.#rule = rule;
  }

  pass(): void {
    this.#checked++;
  }

  skip(): void {
    this.#skipped++;
  }

  /** `message` is asked for only where it is kept. */
  fail(key: string | null, message: () => string): void {
    // First of all, because making the message may be stopped in the middle, and nothing may be counted twice.
    if (this.#examples.length < EXAMPLES_PER_RULE) this.#examples.push({ key, message: message() });
    this.#checked++;
    this.#failed++;
  }

  failUnevaluated(key: string | null, why: string): void {
    this.fail(key, () => plainLine(`cannot be evaluated: ${why}`));
    this.#notEvaluated++;
  }

  result(): RuleResult {
    const { name, description, scope, severity } = this.#rule;
    return {
      name,
      description,
      scope,
      severity,
      checked: this.#checked,
      skipped: this.#skipped,
      failed: this.#failed,
      notEvaluated: this.#notEvaluated,
      examples: this.#examples,
    };
  }
}
