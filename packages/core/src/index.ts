export type {
  DecodedEvent,
  EventHeaders,
  HeaderPair,
  MalformedEvent,
  RawMessage,
  RawSubject,
  ReplayEvent,
  StreamMessage,
} from "./event.ts";
export { defineProjection, type Projection, type ProjectionRef } from "./projection.ts";
export { DeletedSequences, type SequenceRange, tileSlices } from "./range.ts";
export { type Partition, type Plan, type PlannedSliceUnit, type PlannedUnit, planSchema } from "./plan.ts";
export { headersInOrder, joinedHeaders } from "./header-pairs.ts";
export { EVERY_EVENT, type EventFilter, partialCriteria, type PinnedFilter } from "./event-filter.ts";
export {
  CERTIFICATE_LEVELS,
  type CertificateLevel,
  isUnfinished,
  type Lease,
  leaseSchema,
  moveRun,
  ratesOf,
  RUN_STATES,
  type RunRecord,
  type RunSettings,
  type RunState,
  type RunBackup,
  type RunSummary,
  type TargetSummary,
  runRecordSchema,
  runSettingsSchema,
} from "./run.ts";
export {
  type CheckpointRef,
  type FoldFigures,
  emptyCounts,
  hasAdvanced,
  moveUnit,
  newUnitRecord,
  type PackedForUnit,
  type UnitCounts,
  type UnitKind,
  type UnitRecord,
  type UnitState,
  unitCountsSchema,
  unitRecordSchema,
} from "./unit.ts";
export {
  bucketsOf,
  eachTarget,
  entriesDoneBy,
  figuresByTarget,
  planFor,
  quarantinedBy,
  type RunTarget,
  runFor,
  targetAt,
  targetsOf,
  unitFor,
} from "./targets.ts";
export {
  afterSplits,
  halves,
  heirsOf,
  isSplittable,
  letsUnitsBeSplit,
  plannedAs,
  plannedIdOf,
  shareOf,
  splitUnit,
} from "./split.ts";
export { type HotAggregate, hotAggregate } from "./hot-aggregate.ts";
export { type CpuProfile, type WorkerProfile, workerProfileSchema } from "./worker-profile.ts";
export { type DomainSettings, domainSettingsSchema, ENVELOPE_NAMES } from "./settings.ts";
export { PROVENANCE_HEADERS, type Provenance, parseProvenance } from "./provenance.ts";
export {
  ConflictingWriterError,
  errorMessage,
  ReplayError,
  SegmentLostError,
  SourceChangedError,
  SupersededError,
  UnreachableError,
  UsageError,
} from "./errors.ts";
export { assignPartitions, chooseUnits, type Load, type StepCosts, shuffleSeconds, type UnitChoice } from "./cost.ts";
export { type KeyCount, partitionHashesEvenly, partitionKeys, partitionOfOne, partitionRouter } from "./partition.ts";
export { partitionRouterOfBytes } from "./partition-bytes.ts";
export { connectionCause } from "./connection-causes.ts";
export { canonicalJson } from "./canonical-json.ts";
export { canonicalType, sameType } from "./aliases.ts";
export { type CompiledProjection, compileProjection, parseProjection } from "./fold.ts";
export { entryKey, parseEntryKey } from "./key.ts";
export { type Log, silentLog } from "./log.ts";
export { traced } from "./traced.ts";
export { formatCount, formatDuration, formatSize, parseDuration, parseSize } from "./sizes.ts";
export { hexRows, textOf } from "./show-bytes.ts";
export { escapeHtml } from "./escape-html.ts";
export { finerNanos, formatTime, parseTime } from "./times.ts";
export { compileDomain, type DomainCodec } from "./decode/domain-codec.ts";
export { isMalformed } from "./decode/malformed.ts";
export { NOWHERE, PositionIndex } from "./position-index.ts";
export { keyHash } from "./key-hash.ts";
