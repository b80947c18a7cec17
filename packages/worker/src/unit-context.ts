import type { CompiledProjection, DomainCodec, Log, Plan, PlannedUnit, RunRecord } from "@cim-replay/core";
import type { CheckpointStore, NatsClient, QuarantineStore, ReadGauge } from "@cim-replay/nats";
import type { CompiledFilter } from "@cim-replay/filter";
import type { Pace } from "./pace.ts";
import type { UnitClaim } from "./unit-claim.ts";

/** Milliseconds spent by a unit's attempt in each stage. */
interface StageTimes {
  /** Waiting for messages. */
  fetch: number;
  /** Routing, decoding and folding. */
  fold: number;
  checkpoint: number;
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

/** Everything that the stages of one attempt at a unit need. */
export interface UnitContext {
  readonly client: NatsClient;
  readonly checkpoints: CheckpointStore;
  readonly quarantine: QuarantineStore;
  readonly claim: UnitClaim;
  readonly run: RunRecord;
  readonly plan: Plan;
  readonly unit: PlannedUnit;
  readonly codec: DomainCodec;
  /** In the run's order. */
  readonly targets: readonly [UnitTarget, ...UnitTarget[]];
  /** Null: every event of the domain is taken. */
  readonly filter: CompiledFilter | null;
  /** Of a routing key, or of an entry key; the position in the unit's list, -1 where it is another unit's. */
  readonly partitionOf: (routeKey: string) => number;
  readonly partitionOfKey: (entryKey: string) => number;
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
