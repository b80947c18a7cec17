import { formatCount, formatDuration, formatSize } from "@cim-replay/core";
import { findStreamsFor, type NatsClient, type StreamFacts, streamConfig, streamFacts } from "@cim-replay/nats";
import { type Finding, orOk, problem, warning } from "./finding.ts";

/** A stream of events, and the domains that are read from it. */
export interface EventStream {
  readonly name: string;
  readonly domains: readonly string[];
  readonly filters: readonly string[];
}

/** What of a stream's settings and state would make a rebuild from it incomplete. */
export async function checkStream(client: NatsClient, stream: EventStream): Promise<readonly Finding[]> {
  const about = `stream ${stream.name}`;
  const facts = await streamFacts(client, stream.name);
  if (!facts) return [await missing(client, about, stream)];
  const findings = [
    ...cutting(about, facts),
    ...gone(about, facts),
    ...keeping(client, about, facts),
    ...(await copying(client, about, stream.name)),
  ];
  const held = `${formatCount(facts.messages)} messages, ${formatSize(facts.bytes)}`;
  return orOk(findings, about, `${held}, all kept (${stream.domains.join(", ") || "no domain named"})`);
}

async function missing(client: NatsClient, about: string, { filters }: EventStream): Promise<Finding> {
  const others = await findStreamsFor(client, filters);
  const hint = others.length > 0 ? ` Streams with such subjects: ${others.join(", ")}.` : "";
  return problem(about, "there is none", `Set domains.<domain>.stream in cim-replay.yaml.${hint}`);
}

function cutting(about: string, { limits, retention }: StreamFacts): Finding[] {
  if (retention !== "limits") {
    const found = `retention ${retention}: messages vanish when they are consumed`;
    return [problem(about, found, "Only a stream with retention limits can be replayed: copy the events into one.")];
  }
  const cuts = [
    limits.maxAgeMs > 0 ? `${formatDuration(limits.maxAgeMs)} at most` : null,
    limits.maxMsgs > 0 ? `${formatCount(limits.maxMsgs)} messages at most` : null,
    limits.maxBytes > 0 ? `${formatSize(limits.maxBytes)} at most` : null,
    limits.maxMsgsPerSubject > 0 ? `${limits.maxMsgsPerSubject} messages a subject at most` : null,
  ].filter((cut) => cut !== null);
  if (cuts.length === 0) return [];
  const advice = "What is cut off cannot be replayed: remove the limit, or keep archives (backup-events).";
  return [warning(about, `it keeps ${cuts.join(", ")}`, advice)];
}

function gone(about: string, { firstSeq, numDeleted, messages }: StreamFacts): Finding[] {
  const findings: Finding[] = [];
  if (firstSeq > 1 && messages > 0) {
    const found = `it begins at sequence ${formatCount(firstSeq)}: what was before is gone`;
    findings.push(warning(about, found, "Aggregates that began before are folded without their first events."));
  }
  if (numDeleted > 0) {
    const found = `${formatCount(numDeleted)} messages inside it were deleted`;
    findings.push(warning(about, found, "A replay accounts for them, and folds without them."));
  }
  return findings;
}

function keeping({ nc }: NatsClient, about: string, { storage, replicas }: StreamFacts): Finding[] {
  const findings: Finding[] = [];
  if (storage === "memory") {
    findings.push(warning(about, "it is in memory", "A restart of the server loses it: use file storage."));
  }
  if (nc.info?.cluster && replicas === 1) {
    findings.push(warning(about, "one replica in a cluster", "It is away with its server: use 3 replicas."));
  }
  return findings;
}

async function copying(client: NatsClient, about: string, name: string): Promise<Finding[]> {
  const config = await streamConfig(client, name);
  const from = config?.mirror ? "a mirror" : Array.isArray(config?.sources) && config.sources.length > 0 && "sourced";
  if (!from) return [];
  const advice =
    "It may lag behind its origin, and a replay reads what it holds now: compare the last sequences first.";
  return [warning(about, `it is ${from}`, advice)];
}
