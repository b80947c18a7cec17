export { COMPRESSIONS, type Compression } from "./compression.ts";
export { type EventsManifest, type Manifest, manifestSchema } from "./manifest.ts";
export type { WrittenArchive } from "./write-archive.ts";
export { type BackupOptions, backupProjections, type DomainSource } from "./backup-projections.ts";
export { type BackupAggregateOptions, backupAggregate } from "./backup-aggregate.ts";
export { type BackupEventsOptions, backupEvents } from "./backup-events.ts";
export { type CheckedArchive, openArchive } from "./read-archive.ts";
export { type CheckedEvents, openEventsArchive } from "./events-archive.ts";
export { type Restored, type RestoreOptions, restoreArchive } from "./restore.ts";
export { keepMoment, type MomentOptions } from "./keep-moment.ts";
export {
  CHECKPOINT_STORE,
  type CheckpointOptions,
  createCheckpoint,
  deleteCheckpoint,
  dropOldAutomatic,
  listCheckpoints,
  withCheckpoint,
} from "./checkpoints.ts";
export { checkName, type NamedCheckpoint } from "./checkpoint-facts.ts";
export { type RestoredEvents, type RestoreEventsOptions, restoreEvents } from "./restore-events.ts";
export { unfinishedRestore, unfinishedStreamRestore } from "./restore-mark.ts";
