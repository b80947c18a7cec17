import { compileDomain, domainSettingsSchema, partialCriteria, type PinnedFilter, UsageError } from "@cim-replay/core";
import { pinFilter, readFilterFile } from "@cim-replay/filter";
import { lastMatchingSeq, type NatsClient } from "@cim-replay/nats";
import type { CommandModule } from "../command.ts";
import { replaySettings } from "../replay/flags.ts";
import { runRequest } from "../replay/replay.ts";
import type { ReplayRequest } from "../replay/request.ts";
import { projectionsToReplay } from "../replay/named-projections.ts";
import { PROJECTIONS_BUCKET } from "../settings/bucket-names.ts";
import { dryRunSelection } from "../selective/dry-run.ts";
import { withNats } from "../session.ts";
import { callFlag, type CallFlagValues } from "../settings/flags.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { flag, text } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  filter: callFlag("--filter <file>", "which events, as JSON or YAML: see docs/selective-replay.md", text),
  dryRun: callFlag(
    "--dry-run",
    "counts what would be replayed, into replay-dry-run.log, and writes nothing else",
    flag,
  ),
  execute: callFlag("--execute", "replays", flag),
  force: callFlag("--force", "writes partial states into CIM_PROJECTIONS too", flag),
  resumeOnFailure: callFlag("--resume-on-failure", "tries again when a server or a worker was lost", flag),
  format: shared.format,
};
type Flags = CallFlagValues<typeof flags>;

export const command: CommandModule = {
  configure: (parser) => {
    addFlags(parser, flags, replaySettings);
    parser.addHelpText(
      "after",
      `
Several domains in the filter are several runs, one after another; without domains: as event-replay.
An interrupted run goes on with \`event-replay --resume\`.`,
    );
  },
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const path = fileOf(given);
    const filter = pinFilter(await readFilterFile(path));
    const refusal = refusalOf(filter, loaded, given.force === true);
    const request = requestOf(given, loaded, filter);
    if (given.dryRun) {
      if (refusal !== null) invocation.screen.note(`${invocation.screen.style("yellow", "warning:")} ${refusal}`);
      return withNats(loaded.settings, invocation.tool, async (client) => {
        await requireDomains(client, loaded, filter);
        return dryRunSelection(invocation, client, { ...request, filter, path });
      });
    }
    if (refusal !== null) throw new UsageError(refusal);
    return runRequest(invocation, request, ({ client }) => requireDomains(client, loaded, filter));
  },
};

function fileOf({ filter, dryRun, execute }: Flags): string {
  if (filter === undefined) {
    throw new UsageError("Cannot replay a selection: no filter is given. Give --filter, e.g. replay-filter.json.");
  }
  if (dryRun === execute) {
    const what = dryRun ? "both --dry-run and --execute are given" : "neither --dry-run nor --execute is given";
    throw new UsageError(`Cannot replay a selection: ${what}. Give one: --dry-run counts only, --execute replays.`);
  }
  return filter;
}

/** Why it is not replayed; null where nothing is in the way. */
function refusalOf({ filter }: PinnedFilter, loaded: LoadedSettings, isForced: boolean): string | null {
  const partial = partialCriteria(filter);
  if (!writesWhereServicesRead(filter, loaded) || partial.length === 0 || isForced) return null;
  const [only, ...others] = partial;
  const which = others.length === 0 ? `${only} leaves` : `${partial.join(", ")} leave`;
  return (
    `Cannot replay this selection into ${PROJECTIONS_BUCKET}: the filter's ${which} out events of aggregates, and what services read there ` +
    "would be states that never were. Name another --target, e.g. --target test-projection; --force writes them all the same."
  );
}

function writesWhereServicesRead({ domains }: PinnedFilter["filter"], loaded: LoadedSettings): boolean {
  // Of domains that are not known yet, what is set for all.
  const named = domains ?? [""];
  return named.some((domain) =>
    projectionsToReplay(domain, loaded, loaded.domains.get(domain) ?? domainSettingsSchema.parse({})).some(
      ({ bucket }) => bucket === PROJECTIONS_BUCKET,
    ),
  );
}

function requestOf(given: Flags, loaded: LoadedSettings, filter: PinnedFilter): ReplayRequest {
  return {
    flags: {
      ...{ domain: undefined, aggregateId: undefined, fromBeginning: undefined, fromSeq: undefined, toSeq: undefined },
      ...{ fromTime: undefined, toTime: undefined, resume: undefined, run: undefined, prune: undefined },
      ...{ dryRun: given.dryRun, resumeOnFailure: given.resumeOnFailure, format: given.format },
    },
    loaded,
    filter,
  };
}

/** Before the first of them is replayed: a name that is mistyped must not be found out after hours. */
async function requireDomains(
  client: NatsClient,
  { domains }: LoadedSettings,
  { filter }: PinnedFilter,
): Promise<void> {
  for (const domain of filter.domains ?? []) {
    const settings = domains.get(domain) ?? domainSettingsSchema.parse({});
    const { subjects } = compileDomain(domain, settings);
    const last = await Promise.all(subjects.map((subject) => lastMatchingSeq(client, settings.stream, subject)));
    if (last.some((seq) => seq !== null)) continue;
    throw new UsageError(
      `Cannot replay domain ${domain}, which the filter names: stream ${settings.stream} holds no event on ${subjects.join(" or ")}. ` +
        "Check the name, and domains.<domain> in cim-replay.yaml.",
    );
  }
}
