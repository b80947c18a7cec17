import { type CheckedArchive, openArchive, type Restored, restoreArchive } from "@cim-replay/archive";
import { UsageError } from "@cim-replay/core";
import type { NatsClient } from "@cim-replay/nats";
import { untilInterrupted } from "../archives/until-interrupted.ts";
import { noteUnfinishedRestore } from "../archives/unfinished-restore.ts";
import { whileTargetsAreHeld } from "../archives/hold-targets.ts";
import { progressNotes } from "../archives/progress-notes.ts";
import type { CommandModule, Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { restoreJson, restoreText } from "../output/archive-text.ts";
import { json } from "../output/run-record.ts";
import { bucketOf } from "../replay/run-settings.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { flag, text } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  backup: callFlag("--backup <file>", "archive to restore from", text),
  dryRun: callFlag("--dry-run", "checks the archive, says what would be done, and writes nothing", flag),
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, ["target", ...connectionSettings]),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { backup: file, dryRun = false, format } = given;
    if (file === undefined) throw new UsageError("Cannot restore: no archive is named. Give --backup.");
    await using archive = await openArchive(file);
    const { manifest } = archive;
    const bucket = targetOf(archive, loaded);
    const restored = await untilInterrupted(invocation, (signal) =>
      withNats(loaded.settings, invocation.tool, async (client) => {
        await noteUnfinishedRestore(client, bucket, invocation.screen);
        return restore(client, invocation, { archive, bucket, dryRun, signal });
      }),
    );
    if (restored === null) return EXIT.interrupted;
    const report = { file, manifest, bucket, dryRun, restored };
    invocation.print(format === "json" ? json(restoreJson(report)) : restoreText(report));
    return EXIT.done;
  },
};

/** Where nobody named a target, the archive's own bucket must be the usual one: others' entries would be removed. */
function targetOf({ path, manifest }: CheckedArchive, { settings, isGiven }: LoadedSettings): string {
  const bucket = bucketOf(settings.target);
  if (isGiven("target") || bucket === manifest.bucket.name) return bucket;
  throw new UsageError(
    `Cannot tell where to restore to: ${path} was taken from bucket ${manifest.bucket.name}, not from ${bucket}. Give --target.`,
  );
}

function restore(
  client: NatsClient,
  { tool, screen }: Invocation,
  {
    archive,
    bucket,
    dryRun,
    signal,
  }: { archive: CheckedArchive; bucket: string; dryRun: boolean; signal: AbortSignal },
): Promise<Restored> {
  const note = (line: string) => screen.note(line);
  const work = () =>
    restoreArchive(client, {
      ...{ archive, bucket, dryRun, signal },
      onProgress: progressNotes(note, "entries restored"),
    });
  if (dryRun) return work();
  const domains = archive.manifest.domains.map(({ name }) => name);
  return whileTargetsAreHeld(client, { domains, target: bucket, tool, note }, work);
}
