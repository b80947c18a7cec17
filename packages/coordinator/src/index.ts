export type { ReplayContext } from "./context.ts";
export { planReplay } from "./plan-replay.ts";
export { type HeldRun, startRun, takeOverRun } from "./start-run.ts";
export { type DriveOptions, driveRun, type WorkerPool } from "./drive-run.ts";
export type { CertificateVerdict, CertifyRun } from "./end-run.ts";
export { type Progress, readProgress, type StageMicros } from "./progress.ts";
export { cancelRun, continueRun, findRun, pauseRun, requestCheckpoint } from "./control.ts";
export { commandHolder, coordinatorId, isCoordinated, LeaseKeeper, type LeaseSubject } from "./lease-keeper.ts";
export { acquireQuietTarget } from "./give-up.ts";
