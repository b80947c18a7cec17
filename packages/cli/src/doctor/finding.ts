export type Verdict = "ok" | "warning" | "problem";

/** What was found of one thing. */
export interface Finding {
  readonly verdict: Verdict;
  /** What it is about: `stream CIM_EVENTS`. */
  readonly about: string;
  readonly found: string;
  /** What to do; null where all is well. */
  readonly advice: string | null;
}

export function ok(about: string, found: string): Finding {
  return { verdict: "ok", about, found, advice: null };
}

export function warning(about: string, found: string, advice: string): Finding {
  return { verdict: "warning", about, found, advice };
}

export function problem(about: string, found: string, advice: string): Finding {
  return { verdict: "problem", about, found, advice };
}

/** What was found wrong, or else that all is well. */
export function orOk(findings: readonly Finding[], about: string, found: string): readonly Finding[] {
  return findings.length > 0 ? findings : [ok(about, found)];
}
