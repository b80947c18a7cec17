import { checkName } from "@cim-replay/archive";
import { UsageError } from "@cim-replay/core";
import type { NatsClient } from "@cim-replay/nats";
import { domainSource, domainsToBackUp } from "../archives/domains-to-back-up.ts";
import { makeCheckpoint } from "../archives/make-checkpoint.ts";
import { untilInterrupted } from "../archives/until-interrupted.ts";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { checkpointJson, checkpointText } from "../output/checkpoint-text.ts";
import { json } from "../output/run-record.ts";
import { bucketOf } from "../settings/bucket-names.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { text } from "../settings/values.ts";
import { allDomains } from "../verify/all-domains.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  name: callFlag("--name <name>", "what it will be found by", text),
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => {
    addFlags(parser, flags, ["target", ...connectionSettings]);
    parser.addHelpText(
      "after",
      "\nKeeps the entries of all domains of the target as they are at one moment, on the NATS server.",
    );
  },
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { name, format } = given;
    if (name === undefined) throw new UsageError("Cannot create a checkpoint: it has no name. Give --name.");
    checkName(name);
    const bucket = bucketOf(loaded.settings.target);
    const note = (line: string) => invocation.screen.note(line);
    const written = await untilInterrupted(invocation, (signal) =>
      withNats(loaded.settings, invocation.tool, async (client) => {
        const { sources, strayKeys } = await everyDomain(client, loaded, bucket);
        if (strayKeys > 0) note(`${strayKeys} keys of bucket ${bucket} belong to no domain and are left out.`);
        return makeCheckpoint(client, invocation, {
          ...{ name, bucket, domains: sources, wholeBucket: true, automatic: null, signal },
        });
      }),
    );
    if (written === null) return EXIT.interrupted;
    invocation.print(format === "json" ? json(checkpointJson(written, name)) : checkpointText(written, name));
    return EXIT.done;
  },
};

/** Those of bucket, settings and stream: one that has no entry yet is part of the moment, too. */
async function everyDomain(client: NatsClient, loaded: LoadedSettings, bucket: string) {
  const { sources, strayKeys } = await domainsToBackUp(client, loaded, bucket, "all");
  const names = new Set([...sources.map(({ name }) => name), ...(await allDomains(client, loaded, bucket))]);
  return { sources: [...names].sort().map((name) => domainSource(name, loaded)), strayKeys };
}
