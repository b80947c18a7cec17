import type { CelContext } from "@cim-replay/filter";
import type { Scope, Severity } from "./scope.ts";

/** Where a rule does not hold, and what its message says of it. */
export interface Example {
  /** Null for rules over a domain or over counts. */
  readonly key: string | null;
  readonly message: string;
}

export interface RuleResult {
  readonly name: string;
  readonly description: string | null;
  readonly scope: Scope;
  readonly severity: Severity;
  /** Entries that were asked; 1 or 0 for a rule over a domain or over counts. */
  readonly checked: number;
  /** Left out by the rule's `when`. */
  readonly skipped: number;
  /** Where it does not hold, or could not be evaluated: never passed over in silence. */
  readonly failed: number;
  /** Those of `failed` that could not be evaluated. */
  readonly notEvaluated: number;
  /** The first of those that failed. */
  readonly examples: readonly Example[];
}

/** Everything a report shows. */
export interface Validation {
  readonly version: 1;
  /** "fails" where a rule of severity error does not hold. */
  readonly verdict: "holds" | "fails";
  readonly domain: string;
  readonly entries: number;
  /** Entries written while they were read: looked at twice, where they had been read before. */
  readonly writtenMeanwhile: number;
  readonly bucket: { readonly name: string; readonly created: string; readonly lastRevision: number };
  /** As it was before the entries were read; null where there is no such stream. */
  readonly stream: { readonly name: string; readonly created: string; readonly lastSeq: number } | null;
  readonly rules: { readonly source: string; readonly sha256: string };
  readonly toolVersion: string;
  /** RFC 3339, UTC. */
  readonly startedAt: string;
  readonly endedAt: string;
  readonly results: readonly RuleResult[];
}

/** What rules over the whole domain and over its counts may name, besides what they collect. */
export interface WholeContexts {
  readonly domain: CelContext;
  readonly counts: CelContext;
}

/** How many rules do not hold, by severity. */
export function failingRules(results: readonly RuleResult[]): Readonly<Record<Severity, number>> {
  const count = (severity: Severity) =>
    results.filter((result) => result.severity === severity && result.failed > 0).length;
  return { error: count("error"), warning: count("warning"), info: count("info") };
}
