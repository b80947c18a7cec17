import type { Command } from "commander";
import {
  addCallFlags,
  addConfigFlag,
  addSettingFlags,
  callFlag,
  type CallFlagValues,
  natsSettings,
  redisSettings,
} from "../settings/flags.ts";
import type { SettingName } from "../settings/definitions.ts";
import { count, flag, oneOf, text, timeMs } from "../settings/values.ts";

/** What one replay is about; how it goes is a matter of settings. */
export const replayFlags = {
  domain: callFlag("--domain <name>", "domain to replay", text),
  aggregateId: callFlag("--aggregate-id <id>", "only this aggregate", text),
  fromBeginning: callFlag("--from-beginning", "rebuilds from the first event (the default)", flag),
  fromSeq: callFlag("--from-seq <n>", "goes on from what the entries hold, reading from this stream sequence", count),
  toSeq: callFlag("--to-seq <n>", "ends with this stream sequence", count),
  fromTime: callFlag("--from-time <time>", "only events from this time on, e.g. 2026-01-31T12:00:00Z", timeMs),
  toTime: callFlag("--to-time <time>", "only events up to this time, itself included", timeMs),
  resume: callFlag("--resume", "goes on with the latest unfinished run, with its settings", flag),
  run: callFlag("--run <id>", "with --resume: this run", text),
  resumeOnFailure: callFlag("--resume-on-failure", "tries again when a server or a worker was lost", flag),
  prune: callFlag(
    "--prune",
    "removes the domain's entries that no event accounts for (with --to-time: none up to then)",
    flag,
  ),
  dryRun: callFlag("--dry-run", "shows the plan and writes nothing", flag),
  format: callFlag("--format <text|json>", "of the output (default: text)", oneOf("text", "json")),
} as const;

export type ReplayFlags = CallFlagValues<typeof replayFlags>;

export const replaySettings = [
  "target",
  "projection",
  "timeBasis",
  "parallel",
  "source",
  "units",
  "localWorkers",
  "concurrency",
  "readThread",
  "batchSize",
  "prefetch",
  "bufferSize",
  "maxRate",
  "maxBytesRate",
  "adaptiveRate",
  "memoryLimit",
  "bufferMode",
  "gcInterval",
  "reader",
  "checkpointInterval",
  "checkpointDir",
  "backupFirst",
  "backupDir",
  "backupKeep",
  "skipErrors",
  "certify",
  "metricsPort",
  ...natsSettings,
  ...redisSettings,
  "queuePrefix",
  "lockDuration",
  "stalledInterval",
  "logLevel",
  "logFile",
] as const satisfies readonly SettingName[];

export function addReplayFlags(command: Command): void {
  addCallFlags(command, replayFlags);
  addSettingFlags(command, replaySettings);
  addConfigFlag(command);
}
