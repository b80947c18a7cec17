import { domainSettingsSchema, formatCount, UsageError } from "@cim-replay/core";
import { countProjected, countProjectedTypes, type ProjectedCounts, type TypeCount } from "@cim-replay/verifier";
import type { Invocation, CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { aggregatesJson, aggregatesText, typesText } from "../output/projected-text.ts";
import { json } from "../output/run-record.ts";
import { bucketOf } from "../settings/bucket-names.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { oneOf, text } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  domain: callFlag("--domain <name>", "domain whose entries are asked", text),
  by: callFlag(
    "--by <aggregate|type>",
    "a table instead of the sum; types are counted in the stream",
    oneOf("aggregate", "type"),
  ),
  format: shared.format,
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, ["target", ...connectionSettings]),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { domain, by, format } = given;
    if (domain === undefined) throw new UsageError("Cannot count: no domain is named. Give --domain.");
    const bucket = bucketOf(loaded.settings.target);
    const { counts, types } = await withNats(loaded.settings, invocation.tool, async (client) => {
      const counts = await countProjected(client, bucket, domain);
      if (by !== "type") return { counts, types: null };
      const domainSettings = loaded.domains.get(domain) ?? domainSettingsSchema.parse({});
      const signal = new AbortController().signal;
      return { counts, types: await countProjectedTypes(client, counts, { domain, bucket, domainSettings, signal }) };
    });
    if (counts.entries.size === 0) invocation.screen.note(`Bucket ${bucket} holds no entry of ${domain}.`);
    if (types) noteDifference(invocation, counts, types);
    const head = { domain, bucket, entries: counts.entries.size, events: counts.events };
    if (format === "json") {
      const details = by === "aggregate" ? { aggregates: aggregatesJson(counts) } : types ? { types } : {};
      invocation.print(json({ ...head, ...details }));
    } else if (by === "aggregate") invocation.print(aggregatesText(counts));
    // As a shell takes it: digits alone.
    else invocation.print(types ? typesText(types) : String(counts.events));
    return EXIT.done;
  },
};

function noteDifference({ screen }: Invocation, { events }: ProjectedCounts, types: readonly TypeCount[]): void {
  const inStream = types.reduce((sum, type) => sum + type.events, 0);
  if (inStream === events) return;
  screen.note(
    `The stream has ${formatCount(inStream)} events up to the entries' last ones, the entries account for ${formatCount(events)}: ` +
      "a run was cut by time, began behind the first event, or messages were deleted since.",
  );
}
