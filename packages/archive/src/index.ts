export { type Manifest, manifestSchema } from "./manifest.ts";
export type { WrittenArchive } from "./write-archive.ts";
export { type BackupOptions, backupProjections, type DomainSource } from "./backup-projections.ts";
export { type BackupAggregateOptions, backupAggregate } from "./backup-aggregate.ts";
export { type CheckedArchive, openArchive } from "./read-archive.ts";
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
