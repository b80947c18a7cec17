import { createCheckpoint, type DomainSource, dropOldAutomatic, type WrittenArchive } from "@cim-replay/archive";
import { formatCount } from "@cim-replay/core";
import type { NatsClient } from "@cim-replay/nats";
import { audit } from "../audit.ts";
import type { Invocation } from "../command.ts";
import { toolVersion } from "../output/tool-version.ts";
import { progressNotes } from "./progress-notes.ts";

interface CheckpointTask {
  readonly name: string;
  readonly bucket: string;
  readonly domains: readonly DomainSource[];
  readonly wholeBucket: boolean;
  /** Of automatic ones, how many of a bucket stay; null: all. Others are never removed. */
  readonly automatic: { readonly keep: number | null } | null;
  /** Throws its reason where it aborts: there is no checkpoint then. */
  readonly signal?: AbortSignal;
}

/** Makes a named checkpoint, says so in the audit log, and lets old automatic ones go. */
export async function makeCheckpoint(
  client: NatsClient,
  { tool, screen }: Invocation,
  { name, bucket, domains, wholeBucket, automatic, signal }: CheckpointTask,
): Promise<WrittenArchive> {
  const note = (line: string) => screen.note(line);
  const written = await createCheckpoint(client, {
    ...{ name, bucket, domains, wholeBucket, automatic: automatic !== null, toolVersion: toolVersion() },
    ...(signal && { signal }),
    onProgress: progressNotes(note, "entries kept"),
    onRetry: (reason) => note(`Beginning again: ${reason}.`),
  });
  for (const { name: domain } of domains) {
    const of = { command: tool, step: "done", domain, target: bucket } as const;
    const parameters = { checkpoint: name, automatic: automatic !== null };
    const outcome = `checkpoint ${name}: ${formatCount(written.manifest.entries)} entries kept`;
    await audit(client, { ...of, parameters, outcome }, note);
  }
  if (automatic !== null && automatic.keep !== null) {
    const dropped = await dropOldAutomatic(client, bucket, automatic.keep);
    if (dropped.length > 0) note(`Old automatic checkpoints were deleted: ${dropped.join(", ")}.`);
  }
  return written;
}
