import type { EventsManifest, RestoredEvents, WrittenArchive } from "@cim-replay/archive";
import { formatCount, formatSize } from "@cim-replay/core";
import { renderFacts } from "./table.ts";

export function eventsBackupText({ manifest, bytes, sha256 }: WrittenArchive<EventsManifest>, file: string): string {
  const { stream, range, domain, parent, events, others } = manifest;
  return renderFacts([
    ["archive", `${file} (${formatSize(bytes)})`],
    ["stream", `${stream.name}, created ${stream.created}`],
    [
      "sequences",
      range.to_seq < range.from_seq ? `none after ${range.to_seq}` : `${range.from_seq} to ${range.to_seq}`,
    ],
    ["events", `${formatCount(events)}${domain ? ` of ${domain.name}` : ""}`],
    ...(domain ? [["of others", `${formatCount(others)}, not kept`] as const] : []),
    ["deleted", formatCount(deletedIn(manifest))],
    ...(parent ? [["goes on from", `${parent.sha256} at sequence ${parent.to_seq}`] as const] : []),
    ["sha256", sha256],
  ]);
}

export function eventsBackupJson({ manifest, bytes, sha256 }: WrittenArchive<EventsManifest>, file: string): object {
  const { members, deleted: _ranges, domain, stream, ...rest } = manifest;
  const { config: _config, ...identity } = stream;
  return {
    ...{ file, bytes, sha256, ...rest, domain: domain?.name ?? null, stream: identity },
    ...{ deleted: deletedIn(manifest), members: members.length },
  };
}

interface EventsRestoreReport {
  readonly files: readonly string[];
  readonly dryRun: boolean;
  readonly restored: RestoredEvents;
}

export function eventsRestoreText({ files, dryRun, restored }: EventsRestoreReport): string {
  const { stream, made, subjects, events, written, unchanged, foreign, verified } = restored;
  const makes = dryRun ? " (would be made)" : " (made)";
  return renderFacts([
    [files.length === 1 ? "archive" : "archives", `${files.join(", ")}: ${formatCount(events)} events`],
    ["stream", `${stream}${made ? makes : ""}`],
    ["subjects", subjects],
    [dryRun ? "would write" : "written", formatCount(written)],
    ["unchanged", formatCount(unchanged)],
    ...(foreign > 0 ? [["of others", formatCount(foreign)] as const] : []),
    [
      "verified",
      dryRun && verified === 0 ? "the archives; nothing was written" : `${formatCount(verified)} events, read back`,
    ],
  ]);
}

export function eventsRestoreJson({ files, dryRun, restored }: EventsRestoreReport): object {
  const { leftOut, renamedIds, ...rest } = restored;
  return { files, dry_run: dryRun, ...rest, renamed_ids: renamedIds, left_out: leftOut };
}

/** What a person would not expect. */
export function restoreNotes({ stream, leftOut, renamedIds, foreign }: RestoredEvents): string[] {
  const notes: string[] = [];
  if (leftOut.length > 0) {
    notes.push(`Stream ${stream} has not all settings that the old one had: without ${leftOut.join(", ")}.`);
  }
  if (renamedIds > 0) {
    notes.push(
      `${formatCount(renamedIds)} messages had an id that came before; the server would drop them, so theirs is in the header Cim-Replay-Origin-Nats-Msg-Id.`,
    );
  }
  if (foreign > 0) notes.push(`Stream ${stream} also holds ${formatCount(foreign)} messages of others.`);
  return notes;
}

function deletedIn({ deleted }: EventsManifest): number {
  return deleted.reduce((sum, [from, to]) => sum + to - from + 1, 0);
}
