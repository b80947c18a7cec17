import type { NatsClient } from "@cim-replay/nats";
import { generateEvents, publishEvents } from "@cim-replay/testkit";

export const DOMAIN = "graph";
const SEED = 7;

export const CLUSTER_SIZE = 3;

/** Of nats-server: the newest at hand, the oldest line that is supported, or the newest as three servers. */
export type ServerLine = "newest" | "oldest" | "cluster";

/** A stream of graph events. */
export interface Dataset {
  /** What measurements on it begin with; "" for the one that the bars are about. */
  readonly name: string;
  readonly stream: string;
  readonly events: number;
  readonly aggregates: number;
  /** Zipf's exponent of the events over the aggregates; 0: uniform. */
  readonly skew: number;
  readonly eventBytes: number;
  readonly storage: "file" | "memory";
  readonly server: ServerLine;
  /** Events that writers go on appending while a command is measured; 0: none. */
  readonly livePerSecond: number;
}

/** The name of a measurement on it. */
export function named({ name }: Dataset, what: string): string {
  return name === "" ? what : `${name}: ${what}`;
}

/** Publishes it, on subjects of its own so that several can stand on one server. */
export async function publishDataset(client: NatsClient, dataset: Dataset): Promise<void> {
  const { stream, events, aggregates, storage, server } = dataset;
  const num_replicas = server === "cluster" ? CLUSTER_SIZE : 1;
  await client.jsm.streams.add({ name: stream, subjects: [subjectsOf(stream, ">")], storage, num_replicas });
  await publishEvents(client, { stream, events: eventsOf(dataset, { events, aggregates, seed: SEED }) });
}

/** Events of the dataset's kind, on its subjects; another seed gives other aggregates. */
export function* eventsOf(
  { stream, skew, eventBytes }: Dataset,
  wanted: { events: number; aggregates: number; seed: number },
): Generator<{ subject: string; data: Uint8Array }, void, undefined> {
  for (const { subject, data } of generateEvents({ domains: [DOMAIN], skew, eventBytes, ...wanted })) {
    yield { subject: subjectsOf(stream, subject), data };
  }
}

/** The settings file with which the commands read such a stream. */
export function settingsFor({ stream }: Dataset): string {
  return `domains:\n  ${DOMAIN}:\n    stream: ${stream}\n    subject: "${subjectTemplate(stream)}"\n`;
}

export function subjectTemplate(stream: string): string {
  return subjectsOf(stream, "events.{domain}.{aggregate_id}.{event_type}");
}

function subjectsOf(stream: string, rest: string): string {
  return `${stream}.${rest}`;
}
