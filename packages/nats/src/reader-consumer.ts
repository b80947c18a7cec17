import { AckPolicy, DeliverPolicy } from "@nats-io/jetstream";
import { nanos, nuid } from "nats";
import { apiRequest } from "./api-request.ts";
import type { NatsClient } from "./connect.ts";

/** A reader that is paused this long loses its consumer and makes a new one: no harm, one request. */
const INACTIVE_THRESHOLD_MS = 5 * 60_000;

export function newConsumerName(): string {
  // Short: it is part of every message's reply subject.
  return `cr${nuid.next().slice(-10)}`;
}

export function isReadConsumer(name: string): boolean {
  return /^cr[0-9A-Za-z]{10}$/.test(name);
}

/** An ephemeral pull consumer without acknowledgements, kept in the server's memory. */
export async function createReadConsumer(
  client: NatsClient,
  stream: string,
  name: string,
  fromSeq: number,
  filterSubjects: readonly string[],
): Promise<void> {
  const [only, ...others] = filterSubjects;
  const filter =
    only === undefined ? {} : others.length === 0 ? { filter_subject: only } : { filter_subjects: [...filterSubjects] };
  await apiRequest(`read stream ${stream} from sequence ${fromSeq}`, () =>
    client.jsm.consumers.add(stream, {
      name,
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: fromSeq,
      inactive_threshold: nanos(INACTIVE_THRESHOLD_MS),
      mem_storage: true,
      num_replicas: 1,
      ...filter,
    }),
  );
}

/** Does not wait: where it fails, the server drops the consumer by itself after a few minutes. */
export function dropReadConsumer(client: NatsClient, stream: string, name: string): void {
  if (!client.link.up || client.nc.isClosed() || client.nc.isDraining()) return;
  client.jsm.consumers.delete(stream, name).catch(() => {});
}
