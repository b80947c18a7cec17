import { UsageError } from "@cim-replay/core";
import { diffProjections } from "@cim-replay/verifier";
import { noteUnfinishedRestore } from "../archives/unfinished-restore.ts";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { diffJson, diffText, isDifferent } from "../output/diff-text.ts";
import { exactJson } from "../output/short-value.ts";
import { bucketOf } from "../settings/bucket-names.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { countOrZero, text } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const DEFAULT_SAMPLES = 20;

const flags = {
  left: callFlag("--left <bucket>", "bucket with the old values; `projection` is CIM_PROJECTIONS", text),
  right: callFlag("--right <bucket>", "bucket with the new ones", text),
  domain: callFlag("--domain <name>", "only entries of this domain", text),
  samples: callFlag("--samples <n>", `keys of each kind to show (default: ${DEFAULT_SAMPLES})`, countOrZero),
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, connectionSettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    if (given.left === undefined || given.right === undefined) {
      throw new UsageError("Cannot compare: it takes two buckets. Give --left and --right.");
    }
    const buckets = { left: bucketOf(given.left), right: bucketOf(given.right) };
    const domain = given.domain ?? null;
    const diff = await withNats(loaded.settings, invocation.tool, async (client) => {
      for (const bucket of Object.values(buckets)) await noteUnfinishedRestore(client, bucket, invocation.screen);
      const signal = new AbortController().signal;
      return diffProjections({ client, ...buckets, domain, samples: given.samples ?? DEFAULT_SAMPLES, signal });
    });
    invocation.print(given.format === "json" ? exactJson(diffJson(diff, buckets, domain), 2) : diffText(diff, buckets));
    return isDifferent(diff) ? EXIT.failed : EXIT.done;
  },
};
