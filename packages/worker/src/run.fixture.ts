import { newUnitRecord, type Plan, type RunRecord, type RunSettings, type UnitRecord } from "@cim-replay/core";
import { Ledger, type NatsClient } from "@cim-replay/nats";
import { uniqueName } from "@cim-replay/testkit";

function runOf(id: string, settings: Partial<RunSettings> = {}): RunRecord {
  return {
    version: 1,
    id,
    command: "domain-replay",
    state: "running",
    reason: null,
    settings: {
      domain: "graph",
      domainSettings: { stream: "EVENTS", subject: "events.{domain}.{aggregate_id}.{event_type}", envelope: "flat" },
      aggregateId: null,
      continueFromEntries: false,
      fromSeq: null,
      toSeq: null,
      fromTimeMs: null,
      toTimeMs: null,
      timeBasis: "event",
      target: "CIM_PROJECTIONS",
      projection: { name: "graph", source: "builtin", path: null, sha256: "00" },
      parallel: 1,
      units: null,
      batchSize: 1,
      prefetch: 1,
      bufferSize: 1,
      memoryLimitBytes: null,
      gcInterval: null,
      checkpointInterval: null,
      skipErrors: 0,
      prune: false,
      certify: "counts",
      ...settings,
    },
    createdAt: "2026-01-01T00:00:00.000Z",
    startedAt: null,
    endedAt: null,
    coordinator: { id: "c", host: "h", pid: 1 },
    summary: null,
  };
}

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
    expected: null,
    target: { bucket: "CIM_PROJECTIONS", lastRevision: 0 },
    estimate: { seconds: 1, bytes: 1, microsPerEvent: 1 },
    warnings: [],
    ...changes,
  };
}

/** A running run with one unit, `u0`, in the ledger. */
export async function startRunWith(client: NatsClient, plan: Partial<Plan> = {}, unit: Partial<UnitRecord> = {}) {
  const ledger = await Ledger.open(client, { create: true });
  if (!ledger) throw new Error("no ledger");
  const runId = uniqueName("run");
  await ledger.createRun(runOf(runId), planOf(runId, plan), [{ ...newUnitRecord(runId, "u0", 1, 1), ...unit }]);
  return { ledger, runId, job: { runId, unit: "u0" }, plan: planOf(runId, plan) };
}
