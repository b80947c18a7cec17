import type { NatsClient, OutgoingMessage } from "@cim-replay/nats";
import { generateEvents, publishEvents } from "@cim-replay/testkit";
import { z } from "zod";

export const DOMAIN = "graph";
const envelopeSchema = z.object({
  ...{ event_id: z.string(), event_type: z.string(), aggregate_id: z.string(), sequence: z.number() },
  timestamp: z.string(),
});
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
  /** Each message has the headers of the family `X-`, which say again what the envelope says. */
  readonly headers: boolean;
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
  { stream, skew, eventBytes, headers }: Dataset,
  wanted: { events: number; aggregates: number; seed: number },
): Generator<OutgoingMessage, void, undefined> {
  for (const { subject, data } of generateEvents({ domains: [DOMAIN], skew, eventBytes, ...wanted })) {
    yield { subject: subjectsOf(stream, subject), data, headers: headers ? headersOf(data) : undefined };
  }
}

function headersOf(data: Uint8Array): Uint8Array {
  const event = envelopeSchema.parse(JSON.parse(Buffer.from(data).toString("utf8")));
  const lines = [
    `X-Message-ID: ${event.event_id}`,
    `X-Event-Type: ${event.event_type}`,
    `X-Aggregate-ID: ${event.aggregate_id}`,
    `X-Sequence: ${event.sequence}`,
    `X-Timestamp: ${Math.floor(Date.parse(event.timestamp) / 1_000)}`,
  ];
  return Buffer.from(["NATS/1.0", ...lines, "", ""].join("\r\n"));
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
