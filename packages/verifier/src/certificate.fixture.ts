import type { Certificate } from "./certificate.ts";

const holds = { verdict: "holds", why: null, evidence: { entries: 3 } } as const;

export function certificateOf(changes: Partial<Certificate> = {}): Certificate {
  return {
    version: 1,
    tool: { name: "cim-replay", version: "0.1.0" },
    runId: "r1",
    domain: "graph",
    aggregateId: null,
    bucket: "CIM_PROJECTIONS",
    stream: { name: "EVENTS", created: "2026-01-01T00:00:00Z", firstSeq: 1, lastSeq: 9 },
    range: { fromSeq: 1, toSeq: 9 },
    planSha256: "ab".repeat(32),
    projection: { name: "graph", sha256: "cd".repeat(32) },
    level: "full",
    checks: { coverage: holds, counts: holds, content: holds, readBack: holds, refold: holds },
    partitions: [{ index: 0, content: { events: 9, sha256: "ef".repeat(32) }, entries: null }],
    leftOut: { total: 0, first: [] },
    behind: { entries: 0, events: 0, first: [] },
    discrepancies: { total: 0, byKind: {}, first: [] },
    verdict: "holds",
    issuedAt: "2026-01-02T03:04:05.000Z",
    ...changes,
  };
}
