export {
  connectNats,
  isOlder,
  type NatsClient,
  type NatsOptions,
  OLDEST_SERVER,
  REQUEST_TIMEOUT_MS,
} from "./connect.ts";
export type { NatsLogin } from "./nats-login.ts";
export { PermissionDeniedError } from "./denied.ts";
export {
  deletedWithin,
  findStreamsFor,
  lastMatchingSeq,
  type StreamFacts,
  streamFacts,
} from "./stream-info.ts";
export { deletionsSha256 } from "./deletions-digest.ts";
export { lastSeqAtNanos, seqAtTime } from "./seq-at-time.ts";
export { subjectCounts } from "./subject-index.ts";
export { subjectsAbove } from "./subject-total.ts";
export { type LiveConsumer, type LiveSignals, readLiveSignals } from "./live-signals.ts";
export { canSplitFrames } from "./frame-reading.ts";
export { headerBlockOf } from "./header-block.ts";
export { MessageInBytes, type MessagePlace } from "./message-in-bytes.ts";
export { type ReadGauge, type ReadOptions, readStream } from "./reader.ts";
export { ReadThread } from "./read-thread.ts";
export { type ReadConsumer, readConsumers } from "./read-consumers.ts";
export { readSequential, type SequentialReadOptions } from "./read-sequential.ts";
export {
  type ControlMessage,
  type LiveReport,
  onControl,
  onLive,
  publishLive,
  sendControl,
} from "./signals.ts";
export { Ledger, LEDGER_BUCKET, type LedgerOptions } from "./ledger.ts";
export type { Versioned } from "./record-store.ts";
export { type CheckpointPlace, CheckpointStore } from "./checkpoints.ts";
export { lostText, type SegmentOrigin, SegmentStore, SegmentWriter } from "./segments.ts";
export {
  type BucketFacts,
  bucketFacts,
  countKeys,
  deleteEntry,
  type Entry,
  type EntryHead,
  ensureBucket,
  getEntry,
} from "./entries.ts";
export { lastRevision, readEntries, readHeads } from "./entry-read.ts";
export { EntryWriter, type RefusedPut, type EntryWriterOptions } from "./entry-writer.ts";
export { putPlainEntry } from "./plain-entry.ts";
export { type QuarantinePlace, QuarantineStore } from "./quarantine.ts";
export type { QuarantinedEvent } from "./quarantine-message.ts";
export { type OutgoingMessage, type PublishAllOptions, type PublishedRange, publishAll } from "./publish-all.ts";
export { AuditLog, type AuditRecord } from "./audit.ts";
export { FileStore, type KeptFile } from "./file-store.ts";
export { makeStream, streamConfig, streamMark, setStreamMark } from "./stream-config.ts";
export { type OrderedMessage, OrderedWriter } from "./ordered-writer.ts";
export { onProfileParts, type ProfilePart, sendProfile } from "./profile-parts.ts";
export { bucketStream } from "./kv-layout.ts";
export { type AccountFacts, accountFacts, type ClockReading, serverClock } from "./account-facts.ts";
export {
  bucketProbes,
  ledgerProbes,
  ownStreamProbes,
  type PermissionProbe,
  type PermissionState,
  probePermission,
  readProbes,
  signalProbes,
  verifyProbes,
} from "./permission-probe.ts";
export { RESTORE_MARK } from "./restore-mark.ts";
