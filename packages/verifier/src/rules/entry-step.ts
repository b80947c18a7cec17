import type { CelContext } from "@cim-replay/filter";
import { judge } from "./judge.ts";
import { OVERRUNS_ALLOWED } from "./limits.ts";
import type { Rule } from "./rule.ts";
import { RuleTally } from "./rule-tally.ts";
import type { RuleResult, WholeContexts } from "./validation.ts";

/** What is done with each entry in turn, for one rule. */
export interface EntryStep {
  take(key: string, context: CelContext): void;
  /** The entry cannot be looked at. */
  miss(key: string, why: string): void;
  /** `take` was stopped in the middle, because the entry's time was up. */
  overrun(key: string): void;
  /** After the last entry. */
  result(whole: WholeContexts): RuleResult;
}

/** A rule of scope `entry`. */
export class EntryRuleStep implements EntryStep {
  readonly #rule: Rule;
  readonly #tally: RuleTally;
  readonly #patience = new Patience();

  constructor(rule: Rule) {
    this.#rule = rule;
    this.#tally = new RuleTally(rule);
  }

  take(key: string, context: CelContext): void {
    if (this.#patience.isOver) this.miss(key, GIVEN_UP);
    else judge(this.#rule, this.#tally, key, context);
  }

  miss(key: string, why: string): void {
    this.#tally.failUnevaluated(key, why);
  }

  overrun(key: string): void {
    this.#patience.loseOne();
    this.miss(key, TOO_LONG);
  }

  result(): RuleResult {
    return this.#tally.result();
  }
}

export const TOO_LONG = "it takes longer than the time there is for an entry";
export const GIVEN_UP = `not asked any more, it took too long for ${OVERRUNS_ALLOWED} entries`;

/** A few entries may take too long. After that, each of a million more would cost the whole budget. */
export class Patience {
  #left = OVERRUNS_ALLOWED;

  get isOver(): boolean {
    return this.#left <= 0;
  }

  loseOne(): void {
    this.#left--;
  }
}
