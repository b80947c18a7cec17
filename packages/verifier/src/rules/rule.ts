import type { Expression } from "@cim-replay/filter";
import type { MessageTemplate } from "./message-template.ts";
import type { Scope, Severity } from "./scope.ts";

/** A rule whose expressions are compiled. */
export interface Rule {
  readonly name: string;
  readonly description: string | null;
  readonly scope: Scope;
  readonly severity: Severity;
  /** The rule is asked only where this holds. */
  readonly when: Expression | null;
  readonly condition: Expression;
  readonly message: MessageTemplate;
  /** Gathered over all entries before the condition is asked; empty for rules of scope `entry`. */
  readonly collect: readonly Collected[];
  /** What the rule asks of the domain's events: only their total can be had without reading them. */
  readonly eventsAsked: "nothing" | "total" | "types";
}

export const GATHERINGS = ["count", "sum", "min", "max"] as const;

/** One named value over all entries of a domain. */
export interface Collected {
  readonly name: string;
  readonly how: (typeof GATHERINGS)[number];
  /** Over each entry; of a count: whether it counts. */
  readonly of: Expression;
  readonly where: Expression | null;
}

/** Where rules come from, and the SHA-256 of their text, so that a report says by what it was made. */
export interface RuleSet {
  readonly source: string;
  readonly sha256: string;
  readonly rules: readonly Rule[];
}
