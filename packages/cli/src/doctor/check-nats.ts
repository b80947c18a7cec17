import { compileDomain, domainSettingsSchema, formatSize, ReplayError, UnreachableError } from "@cim-replay/core";
import {
  accountFacts,
  bucketFacts,
  bucketProbes,
  canSplitFrames,
  connectNats,
  LEDGER_BUCKET,
  ledgerProbes,
  type NatsClient,
  ownStreamProbes,
  readProbes,
  serverClock,
  signalProbes,
  verifyProbes,
} from "@cim-replay/nats";
import { namedBuckets } from "../replay/named-projections.ts";
import { bucketOf } from "../settings/bucket-names.ts";
import { natsOptions } from "../session.ts";
import { redactUrls } from "../redact.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { checkBucket } from "./check-bucket.ts";
import { checkClock } from "./check-clock.ts";
import { checkPermissions } from "./check-permissions.ts";
import { checkStream, type EventStream } from "./check-streams.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";
import { type Checked, splitMessage } from "./unreachable.ts";

const SMALL_PAYLOAD_BYTES = 1024 * 1024;
const NEARLY_FULL = 0.8;

/** The server of events and entries: whether it can be reached and used, and what of its streams and buckets will bite. */
export async function checkNats(loaded: LoadedSettings, tool: string): Promise<Checked> {
  try {
    const client = await connectNats(natsOptions(loaded.settings, tool));
    try {
      return { findings: await findingsOf(client, loaded), unreachable: false };
    } finally {
      await client.close();
    }
  } catch (error) {
    if (!(error instanceof ReplayError)) throw error;
    const { found, advice } = splitMessage(error.message);
    return {
      findings: [problem(`NATS at ${redactUrls(loaded.settings.natsUrl)}`, found, advice)],
      unreachable: error instanceof UnreachableError,
    };
  }
}

async function findingsOf(client: NatsClient, loaded: LoadedSettings): Promise<readonly Finding[]> {
  const streams = eventStreams(loaded);
  const buckets = [...new Set([bucketOf(loaded.settings.target), ...namedBuckets(loaded), LEDGER_BUCKET])];
  const permissions = await checkPermissions(client, await probesFor(client, streams, buckets));
  const isDenied = permissions.some(({ verdict }) => verdict === "problem");
  const about = `NATS at ${client.nc.getServer()}`;
  const findings = [...server(client, about), ...reader(client, about), ...permissions];
  // What may not be looked at cannot be judged either.
  if (isDenied) return findings;
  findings.push(...(await account(client, about)));
  for (const stream of streams) findings.push(...(await checkStream(client, stream)));
  for (const bucket of buckets) findings.push(...(await checkBucket(client, bucket)));
  const clock = await serverClock(client, streams[0]?.name ?? "");
  return clock ? [...findings, checkClock(about, clock.aheadMs, clock.roundTripMs)] : findings;
}

/** Those that the settings describe; else the one that is read without any. */
function eventStreams({ domains }: LoadedSettings): readonly EventStream[] {
  const byDefault = domainSettingsSchema.parse({});
  // Whatever its domains are called.
  const anyDomain = `${byDefault.subject.split("{")[0]}>`;
  if (domains.size === 0) return [{ name: byDefault.stream, domains: [], filters: [anyDomain] }];
  const streams = new Map<string, EventStream>();
  for (const [domain, settings] of domains) {
    const { domains: others = [], filters = [] } = streams.get(settings.stream) ?? {};
    streams.set(settings.stream, {
      name: settings.stream,
      domains: [...others, domain],
      filters: [...filters, ...compileDomain(domain, settings).subjects],
    });
  }
  return [...streams.values()];
}

async function probesFor(client: NatsClient, streams: readonly EventStream[], buckets: readonly string[]) {
  const ofStreams = streams.flatMap(({ name }) => [...readProbes(name), ...verifyProbes(name)]);
  const probes = [...signalProbes(), ...ofStreams, ...ownStreamProbes()];
  for (const bucket of buckets) {
    // Who may not look is told so by the probes; whether the bucket must be made is not known then.
    const isThere = await bucketFacts(client, bucket)
      .then((facts) => facts !== null)
      .catch(() => false);
    probes.push(...(bucket === LEDGER_BUCKET ? ledgerProbes : bucketProbes)(bucket, isThere));
  }
  return probes;
}

function server({ serverVersion, maxPayloadBytes }: NatsClient, about: string): Finding[] {
  const found = `version ${serverVersion}, messages of ${formatSize(maxPayloadBytes)} at most`;
  if (maxPayloadBytes >= SMALL_PAYLOAD_BYTES) return [ok(about, found)];
  return [warning(about, found, "An entry must fit into one message: raise max_payload where states are larger.")];
}

/** Nothing of it where all is as usual. */
function reader({ nc }: NatsClient, about: string): Finding[] {
  if (canSplitFrames(nc)) return [];
  const found = "the client library's own parser reads streams: the inside of this NATS client is not as known";
  return [warning(about, found, "Replays are as right, and slower, as with --reader library.")];
}

async function account(client: NatsClient, about: string): Promise<Finding[]> {
  const facts = await accountFacts(client);
  const findings: Finding[] = [];
  const { storageBytes, maxStorageBytes } = facts;
  if (maxStorageBytes > 0 && storageBytes >= maxStorageBytes * NEARLY_FULL) {
    const found = `${formatSize(storageBytes)} of the account's ${formatSize(maxStorageBytes)} are stored`;
    findings.push(warning(about, found, "A rebuild may not fit: raise the account's limit."));
  }
  for (const [what, has, most] of [
    ["streams", facts.streams, facts.maxStreams],
    ["consumers", facts.consumers, facts.maxConsumers],
  ] as const) {
    if (most <= 0 || has < most) continue;
    findings.push(
      problem(about, `all ${most} ${what} of the account are there`, "A replay makes its own: raise the limit."),
    );
  }
  return findings;
}
