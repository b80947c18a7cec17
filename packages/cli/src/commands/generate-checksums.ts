import { domainSettingsSchema, UsageError } from "@cim-replay/core";
import { checksumsText as fileText, takeChecksums } from "@cim-replay/verifier";
import { noteUnfinishedRestore } from "../archives/unfinished-restore.ts";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { checksumsJson, checksumsText } from "../output/checksums-text.ts";
import { json } from "../output/run-record.ts";
import { checkWritable, writeWholeFile } from "../output/write-whole-file.ts";
import { bucketOf } from "../settings/bucket-names.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { text } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  domain: callFlag("--domain <name>", "domain whose entries are hashed", text),
  output: callFlag("--output <file>", "writes the checksums here", text),
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, ["target", ...connectionSettings]),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { domain, output, format } = given;
    if (domain === undefined || output === undefined) {
      throw new UsageError("Cannot generate checksums: they need a domain and a file. Give --domain and --output.");
    }
    await checkWritable(output);
    const { stream } = loaded.domains.get(domain) ?? domainSettingsSchema.parse({});
    const source = { domain, bucket: bucketOf(loaded.settings.target), stream };
    const checksums = await withNats(loaded.settings, invocation.tool, async (client) => {
      await noteUnfinishedRestore(client, source.bucket, invocation.screen);
      return takeChecksums(client, source, new Date());
    });
    await writeWholeFile(output, fileText(checksums));
    invocation.print(format === "json" ? json(checksumsJson(checksums, output)) : checksumsText(checksums, output));
    return EXIT.done;
  },
};
