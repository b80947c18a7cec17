import { backupProjections } from "@cim-replay/archive";
import { UsageError } from "@cim-replay/core";
import { compressionFlag } from "../archives/compression-flag.ts";
import { domainsToBackUp } from "../archives/domains-to-back-up.ts";
import { progressNotes } from "../archives/progress-notes.ts";
import { noteUnfinishedRestore } from "../archives/unfinished-restore.ts";
import { untilInterrupted } from "../archives/until-interrupted.ts";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { backupJson, backupText } from "../output/archive-text.ts";
import { json } from "../output/run-record.ts";
import { toolVersion } from "../output/tool-version.ts";
import { checkWritable } from "../output/write-whole-file.ts";
import { bucketOf } from "../settings/bucket-names.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { text } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  domain: callFlag("--domain <name|all>", "domain whose entries are kept, or all of them", text),
  output: callFlag("--output <file>", "archive to write (.tar.gz, .tar.zst, .tar)", text),
  compression: compressionFlag,
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, ["target", ...connectionSettings]),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { domain, output, format, compression } = given;
    if (domain === undefined || output === undefined) {
      throw new UsageError("Cannot back up: it takes a domain and a file. Give --domain (or all) and --output.");
    }
    await checkWritable(output);
    const bucket = bucketOf(loaded.settings.target);
    const note = (line: string) => invocation.screen.note(line);
    const written = await untilInterrupted(invocation, (signal) =>
      withNats(loaded.settings, invocation.tool, async (client) => {
        await noteUnfinishedRestore(client, bucket, invocation.screen);
        const { sources, strayKeys } = await domainsToBackUp(client, loaded, bucket, domain);
        if (strayKeys > 0) note(`${strayKeys} keys of bucket ${bucket} belong to no domain and are left out.`);
        return backupProjections(client, {
          ...{ domains: sources, bucket, output, compression, signal, toolVersion: toolVersion() },
          onProgress: progressNotes(note, "entries kept"),
        });
      }),
    );
    if (written === null) return EXIT.interrupted;
    if (written.manifest.entries === 0) note(`Bucket ${bucket} holds no entry of ${domain}: the archive is empty.`);
    invocation.print(format === "json" ? json(backupJson(written, output)) : backupText(written, output));
    return EXIT.done;
  },
};
