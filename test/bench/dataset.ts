import type { NatsClient } from "@cim-replay/nats";
import { generateEvents, publishEvents } from "@cim-replay/testkit";

export const DOMAIN = "graph";
const EVENT_BYTES = 300;
const SEED = 7;

/** A stream of graph events of about 300 bytes. */
export interface Dataset {
  readonly stream: string;
  readonly events: number;
  readonly aggregates: number;
  /** Zipf's exponent of the events over the aggregates; 0: uniform. */
  readonly skew: number;
}

/** Publishes it, on subjects of its own so that several can stand on one server. */
export async function publishDataset(client: NatsClient, dataset: Dataset): Promise<void> {
  const { stream, events, aggregates, skew } = dataset;
  await client.jsm.streams.add({ name: stream, subjects: [subjectsOf(stream, ">")], storage: "file" });
  const generated = generateEvents({
    domains: [DOMAIN],
    events,
    aggregates,
    skew,
    seed: SEED,
    eventBytes: EVENT_BYTES,
  });
  await publishEvents(client, { stream, events: onSubjectsOf(stream, generated) });
}

function* onSubjectsOf(stream: string, events: Iterable<{ subject: string; data: Uint8Array }>) {
  for (const { subject, data } of events) yield { subject: subjectsOf(stream, subject), data };
}

function subjectsOf(stream: string, rest: string): string {
  return `${stream}.${rest}`;
}

/** The settings file with which the commands read such a stream. */
export function settingsFor({ stream }: Dataset): string {
  const subject = subjectsOf(stream, "events.{domain}.{aggregate_id}.{event_type}");
  return `domains:\n  ${DOMAIN}:\n    stream: ${stream}\n    subject: "${subject}"\n`;
}
