import { compileDomain, domainSettingsSchema, UsageError } from "@cim-replay/core";
import { findStreamsFor, type NatsClient, streamFacts, subjectCounts, subjectsAbove } from "@cim-replay/nats";
import type { LoadedSettings } from "../settings/load.ts";
import type { ReplayFlags } from "./flags.ts";

/** The one that is named; else those that the settings describe; else those that the default stream holds. */
export async function domainsToReplay(
  client: NatsClient,
  { domains }: LoadedSettings,
  flags: Pick<ReplayFlags, "domain" | "aggregateId">,
): Promise<readonly string[]> {
  if (flags.domain !== undefined) return [flags.domain];
  const found = domains.size > 0 ? [...domains.keys()] : await domainsInStream(client);
  if (flags.aggregateId === undefined || found.length === 1) return found;
  throw new UsageError(
    `Cannot replay one aggregate: its domain is not named, and there are ${found.join(", ")}. Give --domain.`,
  );
}

/**
 * Every domain that streams hold: those of the described ones that have events, and what else the default stream has on the
 * default subject. Subjects that a described domain claims are no other domain's, whatever stands in their tokens.
 * `empty`: described, without an event. Throws UsageError where there is no event at all.
 */
export async function everyDomain(
  client: NatsClient,
  { domains }: LoadedSettings,
): Promise<{ held: readonly string[]; empty: readonly string[] }> {
  const { stream } = domainSettingsSchema.parse({});
  const described = [...domains].map(([name, settings]) => ({ name, codec: compileDomain(name, settings), settings }));
  const holds = await Promise.all(
    described.map(({ codec, settings }) => holdsEvents(client, settings.stream, codec.subjects)),
  );
  const of = (wanted: boolean) => described.filter((_, i) => holds[i] === wanted).map(({ name }) => name);
  const [held, empty] = [of(true), of(false)];
  const here = described.filter(({ settings }) => settings.stream === stream);
  const isClaimed = (subject: string) => here.some(({ codec }) => codec.route(subject) !== undefined);
  const mayBeNone = held.length > 0;
  if (mayBeNone && !(await streamFacts(client, stream))) return { held, empty };
  const others = await domainsInStream(client, isClaimed, mayBeNone);
  return { held: [...new Set([...held, ...others])], empty };
}

async function holdsEvents(client: NatsClient, stream: string, subjects: readonly string[]): Promise<boolean> {
  const facts = await streamFacts(client, stream);
  return facts !== null && (await subjectsAbove(client, facts, subjects, 0)) !== null;
}

async function domainsInStream(
  client: NatsClient,
  isClaimed: (subject: string) => boolean = () => false,
  mayBeNone = false,
): Promise<string[]> {
  const { stream, subject } = domainSettingsSchema.parse({});
  const tokens = subject.split(".");
  const position = tokens.indexOf("{domain}");
  const filter = [...tokens.slice(0, position), ">"].join(".");
  if (!(await streamFacts(client, stream))) {
    const others = await findStreamsFor(client, [filter]);
    const hint = others.length > 0 ? ` Streams with such subjects: ${others.join(", ")}.` : "";
    throw new UsageError(
      `Cannot tell what to replay: there is no stream ${stream}.${hint} Give --domain, and set domains.<domain>.stream in cim-replay.yaml.`,
    );
  }
  const names = new Set<string>();
  for (const found of (await subjectCounts(client, stream, filter)).keys()) {
    const name = found.split(".")[position];
    if (name !== undefined && !isClaimed(found)) names.add(name);
  }
  if (names.size > 0 || mayBeNone) return [...names].sort();
  throw new UsageError(`Cannot tell what to replay: stream ${stream} holds no event on ${filter}. Give --domain.`);
}
