import { backupAggregate } from "@cim-replay/archive";
import { UsageError } from "@cim-replay/core";
import { domainSource } from "../archives/domains-to-back-up.ts";
import { compressionFlag } from "../archives/compression-flag.ts";
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
  aggregateId: callFlag("--aggregate-id <id>", "aggregate whose entry and events are kept", text),
  domain: callFlag("--domain <name>", "its domain", text),
  output: callFlag("--output <file>", "archive to write (.tar.gz, .tar.zst, .tar)", text),
  compression: compressionFlag,
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, ["target", ...connectionSettings]),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { aggregateId, domain, output, format, compression } = given;
    if (aggregateId === undefined || domain === undefined || output === undefined) {
      throw new UsageError(
        "Cannot back up: it takes an aggregate and a file. Give --aggregate-id, --domain and --output.",
      );
    }
    await checkWritable(output);
    const bucket = bucketOf(loaded.settings.target);
    const written = await untilInterrupted(invocation, (signal) =>
      withNats(loaded.settings, invocation.tool, async (client) => {
        await noteUnfinishedRestore(client, bucket, invocation.screen);
        return backupAggregate(client, {
          ...{ domain: domainSource(domain, loaded), aggregateId, bucket, output, compression },
          ...{ toolVersion: toolVersion(), signal },
        });
      }),
    );
    if (written === null) return EXIT.interrupted;
    if (written.manifest.entries === 0)
      invocation.screen.note("The aggregate has no entry: its events alone are kept.");
    invocation.print(format === "json" ? json(backupJson(written, output)) : backupText(written, output));
    return EXIT.done;
  },
};
