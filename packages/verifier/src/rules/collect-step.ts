import { Accumulator } from "./accumulator.ts";
import type { CelContext } from "@cim-replay/filter";
import { type EntryStep, GIVEN_UP, Patience, TOO_LONG } from "./entry-step.ts";
import { judge } from "./judge.ts";
import { ENTRY_BUDGET_MS } from "./limits.ts";
import type { Rule } from "./rule.ts";
import { RuleTally } from "./rule-tally.ts";
import { type Guard, TimeGuard } from "./time-guard.ts";
import type { RuleResult, WholeContexts } from "./validation.ts";

/** A rule of scope `domain` or `counts`: it collects from each entry, and is asked once, after the last. */
export class CollectStep implements EntryStep {
  readonly #rule: Rule;
  readonly #guard: Guard;
  readonly #accumulators: readonly Accumulator[];
  readonly #patience = new Patience();
  /** Entries that should have taken part and could not, and why the first could not. */
  #missed = 0;
  #firstMissed = "";

  constructor(rule: Rule, guard: Guard = new TimeGuard()) {
    this.#rule = rule;
    this.#guard = guard;
    this.#accumulators = rule.collect.map((collected) => new Accumulator(collected));
  }

  take(key: string, context: CelContext): void {
    const why = this.#patience.isOver ? GIVEN_UP : this.#takeAll(context);
    if (why !== null) this.miss(key, why);
  }

  /** Why the entry has no part in what is collected; null where it has. */
  #takeAll(context: CelContext): string | null {
    for (const accumulator of this.#accumulators) {
      const why = accumulator.take(context);
      if (why !== null) return why;
    }
    return null;
  }

  miss(key: string, why: string): void {
    if (this.#accumulators.length === 0) return;
    if (this.#missed === 0) this.#firstMissed = `${key}: ${why}`;
    this.#missed++;
  }

  overrun(key: string): void {
    this.#patience.loseOne();
    this.miss(key, TOO_LONG);
  }

  /** What is collected from a part of the entries says nothing of all. */
  result(whole: WholeContexts): RuleResult {
    const tally = new RuleTally(this.#rule);
    if (this.#missed > 0) {
      tally.failUnevaluated(null, `${this.#missed} entries have no part in it, the first is ${this.#firstMissed}`);
      return tally.result();
    }
    const collected = Object.fromEntries(this.#accumulators.map(({ name, value }) => [name, value]));
    const context: CelContext = { ...whole[this.#rule.scope === "counts" ? "counts" : "domain"], ...collected };
    const isDone = this.#guard.finishes(() => judge(this.#rule, tally, null, context), ENTRY_BUDGET_MS);
    if (!isDone) tally.failUnevaluated(null, TOO_LONG);
    return tally.result();
  }
}
