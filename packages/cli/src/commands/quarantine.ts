import { formatCount, isUnfinished, ReplayError, UsageError } from "@cim-replay/core";
import {
  Ledger,
  type NatsClient,
  type QuarantinedEvent,
  type QuarantinePlace,
  QuarantineStore,
} from "@cim-replay/nats";
import { Argument } from "commander";
import { canAsk, isSure } from "../ask.ts";
import type { CommandModule, Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { keptEventText, keptJson, keptListText, type ListedEvent, wholeJson } from "../output/quarantine-text.ts";
import { json } from "../output/run-record.ts";
import { Resolutions } from "../quarantine/resolutions.ts";
import { withNats } from "../session.ts";
import type { SettingName } from "../settings/definitions.ts";
import { type AuditedWork, whileAudited } from "../while-audited.ts";
import { type CallFlagValues, callFlag, connectionSettings } from "../settings/flags.ts";
import { count, flag, text } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";
import { retryKept } from "./quarantine-retry.ts";

const flags = {
  run: callFlag("--run <id>", "only what this run kept", text),
  domain: callFlag("--domain <name>", "only events of this domain", text),
  yes: callFlag("--yes", "discards without asking", flag),
  format: shared.format,
};
type Flags = CallFlagValues<typeof flags>;

const settingNames = [
  ...[
    "projection",
    "parallel",
    "source",
    "units",
    "localWorkers",
    "concurrency",
    "memoryLimit",
    "certify",
    "queuePrefix",
  ],
  ...connectionSettings,
  "logFile",
] as const satisfies readonly SettingName[];

const MOST_LISTED = 1_000;

export const command: CommandModule = {
  configure(parser) {
    parser.addArgument(new Argument("<action>", "what to do").choices(["list", "show", "retry", "discard"]));
    parser.argument("[sequence]", "the event's sequence in its stream (show, retry, discard)");
    addFlags(parser, flags, settingNames);
    parser.addHelpText(
      "after",
      `
retry folds the aggregates of kept events again, each from its beginning, after a mistake was mended: with the projection
and the domain's settings as they are now. See docs/quarantine.md.`,
    );
  },
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const [action, sequence] = invocation.args;
    const seq = sequenceOf(action, sequence);
    if (action === "discard") checkDiscard(given);
    return withNats(loaded.settings, invocation.tool, async (client) => {
      const store = await QuarantineStore.open(client, { create: false });
      const places = store ? await fitting(store, given, seq) : [];
      if (store === null || places.length === 0) return nothingKept(invocation, given, seq);
      if (action === "list") return list(invocation, client, { store, places, given });
      if (action === "retry") return retryKept(invocation, { loaded, format: given.format, store, places });
      if (action === "show") return show(invocation, store, places, given);
      return discard(invocation, client, { store, places, given });
    });
  },
};

function sequenceOf(action: string | undefined, sequence: string | undefined): number | null {
  if (sequence === undefined) {
    if (action === "show") throw new UsageError("Cannot show an event: none is named. Give its sequence.");
    return null;
  }
  if (action === "list") throw new UsageError("Cannot list one event: `quarantine show SEQUENCE` shows it.");
  const seq = count.safeParse(sequence).data;
  if (seq === undefined)
    throw new UsageError(`Cannot ${action} event "${sequence}": that is no sequence. Give a number.`);
  return seq;
}

function checkDiscard({ run, domain, yes }: Flags): void {
  if (run === undefined && domain === undefined) {
    throw new UsageError("Cannot discard kept events: whose is not said. Give --run or --domain.");
  }
  if (!yes && !canAsk()) {
    throw new UsageError("Cannot discard kept events without being sure: there is no terminal to ask on. Give --yes.");
  }
}

async function fitting(store: QuarantineStore, { run, domain }: Flags, seq: number | null): Promise<QuarantinePlace[]> {
  const places = (await store.places(run)).filter((place) => seq === null || place.seq === seq);
  if (domain === undefined) return places;
  const fit: QuarantinePlace[] = [];
  for await (const event of store.read(places)) if (event.domain === domain) fit.push(event);
  return fit.map(({ runId, seq: at, target }) => ({ runId, seq: at, target }));
}

function nothingKept({ print, screen }: Invocation, { run, domain, format }: Flags, seq: number | null): number {
  const whose = `${run === undefined ? "" : ` of run ${run}`}${domain === undefined ? "" : ` of ${domain}`}`;
  if (seq !== null) {
    throw new ReplayError(`Cannot find kept event ${seq}${whose}: there is none. See \`quarantine list\`.`);
  }
  if (format === "json") print(json([]));
  else screen.note(`No events${whose} are kept.`);
  return EXIT.done;
}

async function list(
  { print }: Invocation,
  client: NatsClient,
  { store, places, given: { format } }: { store: QuarantineStore; places: readonly QuarantinePlace[]; given: Flags },
): Promise<number> {
  const ledger = await Ledger.open(client);
  const resolutions = ledger && (await Resolutions.open(ledger, store));
  const resolvedBy = async (event: QuarantinedEvent) => (await resolutions?.resolvedBy(event)) ?? null;
  if (format === "json") {
    const records: object[] = [];
    for await (const event of store.read(places)) records.push(keptJson(event, await resolvedBy(event)));
    print(json(records));
    return EXIT.done;
  }
  const events: ListedEvent[] = [];
  for await (const event of store.read(places.slice(0, MOST_LISTED)))
    events.push({ ...event, data: event.data.slice(), resolvedBy: await resolvedBy(event) });
  print(keptListText(events));
  const more = places.length - events.length;
  if (more > 0) print(`… and ${formatCount(more)} more (--format json shows all)`);
  return EXIT.done;
}

/** Of several runs that kept it, each one's. */
async function show(
  { print }: Invocation,
  store: QuarantineStore,
  places: readonly QuarantinePlace[],
  { format }: Flags,
): Promise<number> {
  const events: QuarantinedEvent[] = [];
  for await (const event of store.read(places)) events.push(event);
  print(format === "json" ? json(events.map(wholeJson)) : events.map(keptEventText).join("\n\n"));
  return EXIT.done;
}

async function discard(
  { tool, print, screen }: Invocation,
  client: NatsClient,
  { store, places, given }: { store: QuarantineStore; places: readonly QuarantinePlace[]; given: Flags },
): Promise<number> {
  const runs = [...new Set(places.map(({ runId }) => runId))];
  await refuseUnfinished(client, runs);
  const events = places.length === 1 ? "1 kept event" : `${formatCount(places.length)} kept events`;
  const what = `${events} of ${runs.length === 1 ? `run ${runs[0]}` : `${runs.length} runs`}`;
  if (!given.yes && !(await isSure(`Discard ${what} for good? These runs cannot be certified again. [y/N] `))) {
    screen.note("Nothing was discarded.");
    return EXIT.failed;
  }
  for (const run of runs) {
    const own = places.filter(({ runId }) => runId === run);
    await whileAudited(
      client,
      await auditedDiscard(client, { tool, screen }, { run, own, given }),
      () => store.discard(own),
      () => `${formatCount(own.length)} kept events discarded`,
    );
  }
  print(given.format === "json" ? json({ discarded: places.length, runs }) : `Discarded ${what}.`);
  return EXIT.done;
}

/** Of a run that the ledger no longer knows, the domain is the one that was asked for. */
async function auditedDiscard(
  client: NatsClient,
  { tool, screen }: Pick<Invocation, "tool" | "screen">,
  { run, own, given }: { run: string; own: readonly QuarantinePlace[]; given: Flags },
): Promise<AuditedWork> {
  const ledger = await Ledger.open(client);
  const settings = (await ledger?.getRun(run))?.record.settings;
  const { domain = given.domain ?? "unknown", target = "unknown" } = settings ?? {};
  const sequences = own.slice(0, MOST_LISTED).map(({ seq }) => seq);
  const parameters = { run: given.run ?? null, domain: given.domain ?? null, events: own.length, sequences };
  const note = (line: string) => screen.note(line);
  return { command: `${tool} discard`, domains: [domain], target, runId: run, parameters, note };
}

/** What such a run has left out is looked up in the quarantine when it ends: without it, it would fail. */
async function refuseUnfinished(client: NatsClient, runIds: readonly string[]): Promise<void> {
  const ledger = await Ledger.open(client);
  for (const id of ledger ? runIds : []) {
    const run = (await ledger?.getRun(id))?.record;
    if (!run || !isUnfinished(run)) continue;
    throw new ReplayError(
      `Cannot discard what run ${id} kept: it is ${run.state} and can go on, and needs it. ` +
        `End it first with \`cancel-replay --run ${id}\`.`,
    );
  }
}
