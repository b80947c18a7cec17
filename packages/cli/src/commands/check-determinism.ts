import { domainSettingsSchema, UsageError } from "@cim-replay/core";
import { checkDeterminism, sampleAggregates } from "@cim-replay/verifier";
import { resolveProjection } from "@cim-replay/worker/load-projection";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { determinismJson, determinismText } from "../output/determinism-text.ts";
import { exactJson } from "../output/short-value.ts";
import { onlyProjection } from "../replay/named-projections.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { count, text } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const DEFAULT_AGGREGATES = 100;
/** At 300 bytes an event and a hundred aggregates: 60 MB. */
const EVENTS_AN_AGGREGATE = 2_000;
/** Shared out evenly, so that the same command takes the same sample. */
const BYTES_OF_SAMPLE = 128 * 1024 * 1024;

const flags = {
  domain: callFlag("--domain <name>", "domain whose events are folded", text),
  sample: callFlag("--sample <n>", `aggregates to fold (default: ${DEFAULT_AGGREGATES})`, count),
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, ["projection", ...connectionSettings]),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { domain, sample: aggregates = DEFAULT_AGGREGATES, format } = given;
    if (domain === undefined) throw new UsageError("Cannot check: no domain is named. Give --domain.");
    const domainSettings = loaded.domains.get(domain) ?? domainSettingsSchema.parse({});
    const { ref, projection } = await resolveProjection(onlyProjection(domain, loaded, domainSettings));
    const signal = new AbortController().signal;
    const sample = await withNats(loaded.settings, invocation.tool, (client) =>
      sampleAggregates({
        ...{ client, domain, domainSettings, aggregates, eventsAnAggregate: EVENTS_AN_AGGREGATE, signal },
        bytesAnAggregate: Math.floor(BYTES_OF_SAMPLE / aggregates),
      }),
    );
    const check = checkDeterminism(sample, { domain, domainSettings, projection });
    invocation.print(format === "json" ? exactJson(determinismJson(check, ref), 2) : determinismText(check, ref));
    return check.holds ? EXIT.done : EXIT.failed;
  },
};
