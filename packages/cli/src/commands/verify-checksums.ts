import { UsageError } from "@cim-replay/core";
import { checksumsHold, readChecksums, verifyChecksums } from "@cim-replay/verifier";
import { noteUnfinishedRestore } from "../archives/unfinished-restore.ts";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { checksumsVerdictJson, checksumsVerdictText } from "../output/checksums-text.ts";
import { json } from "../output/run-record.ts";
import { bucketOf } from "../settings/bucket-names.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { text } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  domain: callFlag("--domain <name>", "domain whose entries are compared", text),
  expected: callFlag("--expected <file>", "what generate-checksums wrote", text),
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, ["target", ...connectionSettings]),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { domain, expected: file, format } = given;
    if (domain === undefined || file === undefined) {
      throw new UsageError("Cannot verify checksums: it needs a domain and a file. Give --domain and --expected.");
    }
    const expected = await readChecksums(file, domain);
    // What was summed up is what is looked at, unless somebody says otherwise.
    const bucket = loaded.isGiven("target") ? bucketOf(loaded.settings.target) : expected.bucket.name;
    const verdict = await withNats(loaded.settings, invocation.tool, async (client) => {
      await noteUnfinishedRestore(client, bucket, invocation.screen);
      return verifyChecksums(client, expected, bucket);
    });
    invocation.print(
      format === "json" ? json(checksumsVerdictJson(expected, verdict)) : checksumsVerdictText(expected, verdict),
    );
    return checksumsHold(verdict) ? EXIT.done : EXIT.failed;
  },
};
