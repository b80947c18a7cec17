import type { RuleResult, Validation } from "../rules/validation.ts";

export function resultOf(changes: Partial<RuleResult> = {}): RuleResult {
  return {
    name: "rule",
    description: null,
    scope: "entry",
    severity: "error",
    checked: 10,
    skipped: 0,
    failed: 0,
    notEvaluated: 0,
    examples: [],
    ...changes,
  };
}

export function validationOf(results: readonly RuleResult[], changes: Partial<Validation> = {}): Validation {
  return {
    version: 1,
    verdict: "holds",
    domain: "graph",
    entries: 10,
    writtenMeanwhile: 0,
    bucket: { name: "CIM_PROJECTIONS", created: "2026-01-01T00:00:00Z", lastRevision: 12 },
    stream: { name: "EVENTS", created: "2026-01-01T00:00:00Z", lastSeq: 100 },
    rules: { source: "rules.yaml", sha256: "ab".repeat(32) },
    toolVersion: "1.2.3",
    startedAt: "2026-02-01T12:00:00.000Z",
    endedAt: "2026-02-01T12:00:01.500Z",
    results,
    ...changes,
  };
}
