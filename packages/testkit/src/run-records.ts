import { domainSettingsSchema, type Plan, type RunRecord, type RunSettings } from "@cim-replay/core";

/** For tests: settings of a run over domain `graph` of a stream whose subjects begin with its name. */
export function settingsOf(stream: string, changes: Partial<RunSettings> = {}): RunSettings {
  return {
    domain: "graph",
    domainSettings: domainSettingsSchema.parse({ stream, subject: `${stream}.{domain}.{aggregate_id}.{event_type}` }),
    aggregateId: null,
    continueFromEntries: false,
    fromSeq: null,
    toSeq: null,
    fromTimeMs: null,
    toTimeMs: null,
    timeBasis: "event",
    filter: null,
    target: `TARGET_${stream}`,
    projection: { name: "graph", source: "builtin", path: null, sha256: "00" },
    otherTargets: [],
    parallel: 4,
    source: "auto",
    units: null,
    batchSize: 500,
    prefetch: 1_000,
    maxRate: null,
    maxBytesRate: null,
    adaptiveRate: false,
    bufferSize: 1_000,
    memoryLimitBytes: null,
    bufferMode: "memory",
    gcInterval: null,
    reader: "own",
    checkpointInterval: null,
    skipErrors: 0,
    prune: false,
    certify: "counts",
    ...changes,
  };
}

/** For tests: a run that is at work. */
export function runOf(id: string, changes: Partial<RunRecord> = {}): RunRecord {
  return {
    version: 1,
    id,
    command: "domain-replay",
    state: "running",
    reason: null,
    settings: settingsOf("EVENTS"),
    createdAt: "2026-01-01T00:00:00.000Z",
    startedAt: null,
    endedAt: null,
    coordinator: { id: "c", host: "h", pid: 1 },
    backup: null,
    adaptive: null,
    otherBackups: [],
    summary: null,
    ...changes,
  };
}

/** For tests: a plan of one unit, `u0`, with one partition, over nine sequences. */
export function planOf(runId: string, changes: Partial<Plan> = {}): Plan {
  return {
    version: 1,
    runId,
    domain: "graph",
    stream: { name: "EVENTS", created: "x", firstSeq: 1, lastSeq: 9 },
    range: { fromSeq: 1, toSeq: 9 },
    deleted: { count: 0, sha256: "" },
    read: { filterSubjects: [], messages: 9, reason: "" },
    source: { kind: "direct", reason: "" },
    partitionBy: "id",
    partitions: [{ index: 0, fromKey: null, toKey: null, expected: null }],
    slices: [{ fromSeq: 1, toSeq: 9 }],
    units: [{ id: "u0", partitions: [0] }],
    sliceUnits: [],
    expected: null,
    target: { bucket: "CIM_PROJECTIONS", lastRevision: 0 },
    estimate: { seconds: 1, bytes: 1, microsPerEvent: 1 },
    warnings: [],
    ...changes,
  };
}
