import type { Progress } from "@cim-replay/coordinator";
import type { Plan, RunRecord } from "@cim-replay/core";
import { planOf, runOf, settingsOf } from "@cim-replay/testkit";

export const run: RunRecord = runOf("20260131-120000-abc123", {
  settings: settingsOf("EVENTS", {
    target: "CIM_PROJECTIONS",
    projection: { name: "graph", source: "builtin", path: null, sha256: "0123456789abcdef" },
  }),
  createdAt: "2026-01-31T12:00:00.000Z",
  startedAt: "2026-01-31T12:00:00.000Z",
});

export const plan: Plan = planOf(run.id, {
  stream: { name: "EVENTS", created: "2026-01-01T00:00:00Z", firstSeq: 1, lastSeq: 300_000 },
  range: { fromSeq: 1, toSeq: 300_000 },
  deleted: { count: 5, sha256: "" },
  read: { filterSubjects: [], messages: 299_995, reason: "unfiltered: most messages match" },
  source: { kind: "direct", reason: "1 unit of at most 2" },
  partitions: [
    { index: 0, fromKey: null, toKey: "m", expected: { minEvents: 40_000, maxEvents: 40_000, aggregates: 300 } },
    { index: 1, fromKey: "m", toKey: null, expected: { minEvents: 59_000, maxEvents: 60_000, aggregates: 200 } },
  ],
  slices: [{ fromSeq: 1, toSeq: 300_000 }],
  units: [{ id: "u0", partitions: [0, 1] }],
  expected: { events: 100_000, aggregates: 500 },
  estimate: { seconds: 2.5, bytes: 93_000_000, microsPerEvent: 8.25 },
  warnings: ["EVENTS drops history by itself (max_age 30 s): older events may be missing."],
});

export const progress: Progress = {
  run,
  plan,
  units: { total: 2, done: 1, running: 1, pending: 0, failed: 0 },
  slices: null,
  totalEvents: 100_000,
  durableEvents: 50_000,
  readEvents: 75_000,
  appliedEvents: 74_000,
  eventsPerSecond: 12_345.6,
  lagSeconds: 12,
  etaSeconds: 65,
  errors: 0,
  entriesWritten: 0,
  entriesTotal: 500,
  workers: 1,
  memoryBytes: 200 * 2 ** 20,
  inFlightBytes: 1_000,
  stageMicros: { fetch: 1, fold: 2_000_000, checkpoint: 3, write: 4 },
  recoveries: 2,
  unitsResent: 3,
  checkpoints: 5,
  hot: null,
};
