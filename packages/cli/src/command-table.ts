import type { CommandEntry } from "./command.ts";

function entry(name: string, summary: string, load: CommandEntry["load"], bin: string | null = name): CommandEntry {
  return { name, summary, bin, load };
}

/** Every command there is. A command's file is loaded when it is called. */
export const commandTable: readonly CommandEntry[] = [
  entry(
    "event-replay",
    "replays one aggregate or a domain into its projections",
    () => import("./commands/event-replay.ts"),
  ),
  entry("domain-replay", "replays a whole domain into its projections", () => import("./commands/domain-replay.ts")),
  entry("state-at", "shows one aggregate as it was at a moment or a sequence", () => import("./commands/state-at.ts")),
  entry(
    "point-in-time-replay",
    "brings domains' entries to the state at a moment",
    () => import("./commands/point-in-time-replay.ts"),
  ),
  entry(
    "selective-replay",
    "replays the events that a filter asks for",
    () => import("./commands/selective-replay.ts"),
  ),
  entry("tune-replay", "changes a run's rates while it runs", () => import("./commands/tune-replay.ts")),
  entry("pause-replay", "checkpoints a run and lets it wait", () => import("./commands/pause-replay.ts")),
  entry("resume-replay", "lets a paused run go on", () => import("./commands/resume-replay.ts")),
  entry("cancel-replay", "ends a run for good", () => import("./commands/cancel-replay.ts")),
  entry("replay-status", "shows a run: state, units, errors, outcome", () => import("./commands/replay-status.ts")),
  entry("replay-progress", "shows how far a run is", () => import("./commands/replay-progress.ts")),
  entry("replay-list", "lists the runs in the ledger", () => import("./commands/replay-list.ts")),
  entry(
    "audit-log",
    "shows who replayed, restored, cleared or discarded what",
    () => import("./commands/audit-log.ts"),
  ),
  entry("doctor", "checks servers, permissions and settings", () => import("./commands/doctor.ts"), null),
  entry("debug-replay", "says what keeps a run from going on", () => import("./commands/debug-replay.ts")),
  entry(
    "profile-replay",
    "profiles a run's workers and says what limits it",
    () => import("./commands/profile-replay.ts"),
  ),
  entry(
    "quarantine",
    "shows, retries or discards events that runs kept aside",
    () => import("./commands/quarantine.ts"),
  ),
  entry(
    "clear-projections",
    "deletes the entries of a domain or an aggregate",
    () => import("./commands/clear-projections.ts"),
  ),
  entry(
    "backup-aggregate",
    "keeps an aggregate's entry and events in an archive",
    () => import("./commands/backup-aggregate.ts"),
  ),
  entry(
    "backup-projections",
    "keeps the entries of a domain, or of all, in an archive",
    () => import("./commands/backup-projections.ts"),
  ),
  entry(
    "backup-events",
    "keeps a stream's messages, or a domain's, in an archive",
    () => import("./commands/backup-events.ts"),
  ),
  entry(
    "restore-projections",
    "makes a bucket hold what an archive holds",
    () => import("./commands/restore-projections.ts"),
  ),
  entry("restore-events", "makes a stream hold the messages of archives", () => import("./commands/restore-events.ts")),
  entry(
    "create-checkpoint",
    "keeps all domains' entries as they are at one moment, by a name",
    () => import("./commands/create-checkpoint.ts"),
  ),
  entry("list-checkpoints", "lists the named checkpoints", () => import("./commands/list-checkpoints.ts")),
  entry(
    "restore-checkpoint",
    "makes a bucket hold what a named checkpoint holds",
    () => import("./commands/restore-checkpoint.ts"),
  ),
  entry("delete-checkpoint", "deletes a named checkpoint", () => import("./commands/delete-checkpoint.ts")),
  entry(
    "validate-domain",
    "holds a domain's entries to business rules, and reports",
    () => import("./commands/validate-domain.ts"),
  ),
  entry(
    "verify-aggregate",
    "compares one aggregate's entry with its events",
    () => import("./commands/verify-aggregate.ts"),
  ),
  entry(
    "verify-domain",
    "compares a domain's entries with the stream, by folding it again",
    () => import("./commands/verify-domain.ts"),
  ),
  entry("verify-system-state", "verifies all domains", () => import("./commands/verify-system-state.ts")),
  entry(
    "validate-system-state",
    "compares all domains' entries with the state at a time",
    () => import("./commands/validate-system-state.ts"),
  ),
  entry("certify", "verifies a run again and issues its certificate", () => import("./commands/certify.ts")),
  entry(
    "verify-certificate",
    "checks a certificate's signature and verdict",
    () => import("./commands/verify-certificate.ts"),
  ),
  entry(
    "generate-checksums",
    "writes a checksum of each entry of a domain into a file",
    () => import("./commands/generate-checksums.ts"),
  ),
  entry(
    "verify-checksums",
    "compares a domain's entries with their checksums",
    () => import("./commands/verify-checksums.ts"),
  ),
  entry(
    "diff-projections",
    "shows how the entries of two buckets differ",
    () => import("./commands/diff-projections.ts"),
  ),
  entry(
    "count-projected-events",
    "counts the events that a domain's entries account for",
    () => import("./commands/count-projected-events.ts"),
  ),
  entry(
    "check-determinism",
    "folds a sample of events in several ways that must come to the same",
    () => import("./commands/check-determinism.ts"),
  ),
  entry(
    "dashboard",
    "shows runs, certificates and the queue in a browser",
    () => import("./commands/dashboard.ts"),
    null,
  ),
  entry("worker", "executes work units until it is stopped", () => import("./commands/worker.ts"), "cim-replay-worker"),
  entry(
    "stop-all-services",
    "stops the services around a replay, and remembers which ran",
    () => import("./commands/stop-all-services.ts"),
  ),
  entry(
    "start-all-services",
    "starts what stop-all-services stopped",
    () => import("./commands/start-all-services.ts"),
  ),
  entry("service-status", "shows the services around a replay", () => import("./commands/service-status.ts")),
  entry(
    "servers",
    "starts, shows or stops a NATS and a Redis server for trying things out",
    () => import("./commands/servers.ts"),
    null,
  ),
  entry("generate-events", "publishes deterministic sample events", () => import("./commands/generate-events.ts")),
  entry("completion", "prints the completion for a shell", () => import("./commands/completion.ts"), null),
  entry("demo", "shows the whole job on servers and events of its own", () => import("./commands/demo.ts"), null),
];
