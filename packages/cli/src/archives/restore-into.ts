import { type CheckedArchive, type Restored, restoreArchive } from "@cim-replay/archive";
import { formatCount, UsageError } from "@cim-replay/core";
import type { NatsClient } from "@cim-replay/nats";
import type { Invocation } from "../command.ts";
import { bucketOf } from "../settings/bucket-names.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { whileAudited } from "../while-audited.ts";
import { whileTargetsAreHeld } from "./hold-targets.ts";
import { progressNotes } from "./progress-notes.ts";

/** Where nobody named a target, the archive's own bucket must be the usual one: others' entries would be removed. */
export function targetOf({ manifest }: CheckedArchive, what: string, { settings, isGiven }: LoadedSettings): string {
  const bucket = bucketOf(settings.target);
  if (isGiven("target") || bucket === manifest.bucket.name) return bucket;
  throw new UsageError(
    `Cannot tell where to restore to: ${what} was taken from bucket ${manifest.bucket.name}, not from ${bucket}. Give --target.`,
  );
}

interface RestoreTask {
  readonly archive: CheckedArchive;
  readonly bucket: string;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  /** What finishes it, for whoever finds the bucket half restored; default: `restore-projections` with the archive's file. */
  readonly command?: string;
  /** What names the archive, for the audit log. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** Makes the bucket hold what the archive holds, while no run may write there, with records in the audit log. */
export function restoreInto(
  client: NatsClient,
  { tool, screen }: Invocation,
  { parameters, ...task }: RestoreTask,
): Promise<Restored> {
  const { archive, bucket, dryRun } = task;
  const note = (line: string) => screen.note(line);
  const work = () => restoreArchive(client, { ...task, onProgress: progressNotes(note, "entries restored") });
  if (dryRun) return work();
  const { aggregate_id: aggregateId, taken_at: takenAt, entries, ...manifest } = archive.manifest;
  const domains = manifest.domains.map(({ name }) => name);
  const audited = {
    ...{ command: tool, domains, target: bucket, note },
    parameters: { ...parameters, takenAt, from: manifest.bucket.name, domains, aggregateId, entries },
  };
  return whileTargetsAreHeld(client, { domains, target: bucket, tool, note }, () =>
    whileAudited(client, audited, work, outcomeOf),
  );
}

function outcomeOf({ written, unchanged, removed, verified }: Restored): string {
  return `${formatCount(written)} written, ${formatCount(unchanged)} unchanged, ${formatCount(removed)} removed, ${formatCount(verified)} read back`;
}
