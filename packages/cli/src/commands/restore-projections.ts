import { openArchive } from "@cim-replay/archive";
import { UsageError } from "@cim-replay/core";
import { resolve } from "node:path";
import { restoreInto, targetOf } from "../archives/restore-into.ts";
import { noteUnfinishedRestore } from "../archives/unfinished-restore.ts";
import { untilInterrupted } from "../archives/until-interrupted.ts";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { restoreJson, restoreText } from "../output/archive-text.ts";
import { json } from "../output/run-record.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
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
    const bucket = targetOf(archive, file, loaded);
    const parameters = { backup: resolve(file) };
    const restored = await untilInterrupted(invocation, (signal) =>
      withNats(loaded.settings, invocation.tool, async (client) => {
        await noteUnfinishedRestore(client, bucket, invocation.screen);
        return restoreInto(client, invocation, { archive, bucket, dryRun, signal, parameters });
      }),
    );
    if (restored === null) return EXIT.interrupted;
    const report = { file, manifest, bucket, dryRun, restored };
    invocation.print(format === "json" ? json(restoreJson(report)) : restoreText(report));
    return EXIT.done;
  },
};
