import type { Manifest, Restored, WrittenArchive } from "@cim-replay/archive";
import { formatCount, formatSize } from "@cim-replay/core";
import { renderFacts } from "./table.ts";

export function backupText({ manifest, bytes, sha256 }: WrittenArchive, file: string, title = "archive"): string {
  const { bucket, entries, events } = manifest;
  return renderFacts([
    [title, `${file} (${formatSize(bytes)})`],
    ["of", subjectOf(manifest)],
    ["entries", `${formatCount(entries)} from bucket ${bucket.name} at revision ${formatCount(bucket.last_revision)}`],
    ...(manifest.kind === "aggregate" ? [["events", formatCount(events)] as const] : []),
    ...manifest.domains.map(({ name, stream }) => {
      const where = stream ? `${stream.name} at sequence ${formatCount(stream.last_seq)}` : "none";
      return [manifest.domains.length === 1 ? "stream" : `stream of ${name}`, where] as const;
    }),
    ["sha256", sha256],
  ]);
}

export function backupJson({ manifest, bytes, sha256 }: WrittenArchive, file?: string): object {
  const { members, domains, ...rest } = manifest;
  return {
    ...(file !== undefined && { file }),
    ...{ bytes, sha256 },
    ...rest,
    domains: domains.map(({ name, stream }) => ({ name, stream })),
    members: members.length,
  };
}

export interface RestoreReport {
  readonly file: string;
  readonly manifest: Manifest;
  readonly bucket: string;
  readonly dryRun: boolean;
  readonly restored: Restored;
}

export function restoreText({ file, manifest, bucket, dryRun, restored }: RestoreReport): string {
  const { written, unchanged, removed, verified } = restored;
  return renderFacts([
    ["archive", `${file}: ${formatCount(manifest.entries)} entries of ${subjectOf(manifest)}`],
    ["taken", `${manifest.taken_at} from bucket ${manifest.bucket.name}`],
    ["bucket", bucket],
    [dryRun ? "would write" : "written", formatCount(written)],
    ["unchanged", formatCount(unchanged)],
    [dryRun ? "would remove" : "removed", formatCount(removed)],
    ["verified", dryRun ? "the archive; nothing was written" : `${formatCount(verified)} entries, read back`],
  ]);
}

export function restoreJson({ file, manifest, bucket, dryRun, restored }: RestoreReport): object {
  const { kind, taken_at, domains, aggregate_id, entries } = manifest;
  return {
    ...{ file, kind, taken_at, domains: domains.map(({ name }) => name), aggregate_id, entries },
    ...{ bucket, dry_run: dryRun, ...restored },
  };
}

function subjectOf({ domains, aggregate_id: id }: Manifest): string {
  const names = domains.map(({ name }) => name).join(", ");
  return id === null ? names : `aggregate ${JSON.stringify(id)} of ${names}`;
}
