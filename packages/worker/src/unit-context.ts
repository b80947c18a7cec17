import type {
  CompiledProjection,
  DomainCodec,
  Log,
  Plan,
  PlannedUnit,
  RunRecord,
  UnitCounts,
  UnitRecord,
} from "@cim-replay/core";
import type { CheckpointStore, NatsClient, QuarantineStore, ReadGauge, ReadThread } from "@cim-replay/nats";
import type { CompiledFilter } from "@cim-replay/filter";
import type { Pace } from "./pace.ts";
import type { UnitClaim } from "./unit-claim.ts";

/** Milliseconds spent by a unit's attempt in each stage. */
interface StageTimes {
  /** Waiting for messages. */
  fetch: number;
  /** Routing, decoding and folding; of a slice: routing and packing. */
  fold: number;
  checkpoint: number;
  /** Of entries; of a slice: waiting until segments are stored. */
  write: number;
}

/** One of the run's targets, with the run and its plan as it sees them. */
export interface UnitTarget {
  readonly run: RunRecord;
  readonly plan: Plan;
  readonly projection: CompiledProjection;
  /** See UnitFoldOptions; outlives a pass. */
  readonly careful: Set<string>;
}

/** What an attempt at a unit of either kind needs. */
export interface AttemptContext {
  readonly client: NatsClient;
  /** What reads the stream for this attempt; null: it reads by itself. Begun when it is asked for. */
  readThread(): ReadThread | null;
  readonly claim: UnitClaim;
  readonly run: RunRecord;
  readonly plan: Plan;
  readonly codec: DomainCodec;
  readonly maxMessageBytes: number;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly stages: StageTimes;
  readonly gauge: ReadGauge;
  readonly pace: Pace;
  recoveries: number;
  /** Set from outside: the next chance is a checkpoint. */
  checkpointRequested: boolean;
}

/** Everything that the stages of one attempt at partitions need. */
export interface UnitContext extends AttemptContext {
  readonly checkpoints: CheckpointStore;
  readonly quarantine: QuarantineStore;
  readonly unit: PlannedUnit;
  /** In the run's order. */
  readonly targets: readonly [UnitTarget, ...UnitTarget[]];
  /** Null: every event of the domain is taken. */
  readonly filter: CompiledFilter | null;
  /** Of a routing key, or of an entry key; the position in the unit's list, -1 where it is another unit's. */
  readonly partitionOf: (routeKey: string) => number;
  readonly partitionOfKey: (entryKey: string) => number;
}

/** Of the first target, or of all; with several, of each by itself. */
export type LiveFigures = Pick<UnitRecord["live"], "applied" | "quarantined" | "entriesWritten" | "byTarget">;

/** What the outside sees of a pass over messages, whoever does it. */
export interface AttemptPass {
  readonly counts: UnitCounts;
  /** What of the unit is not durable yet; `entriesWritten` by target. */
  live(entriesWritten: readonly number[]): LiveFigures;
  readonly readSeq: number;
  readonly lastEventAtMs: number | null;
  /** Makes durable what can be, for a unit that is given back. */
  checkpointAndSettle(): Promise<void>;
  close(): void;
}
