import type { NatsClient } from "@cim-replay/nats";
import type { ReplayEvent } from "@cim-replay/core";
import { builtinProjections } from "@cim-replay/projections";
import type { ProbeTask } from "../probe-task.ts";

/** The envelope's fields that a fold needs, as they lie on the stream. */
export interface FlatEnvelope {
  readonly event_id: string;
  readonly aggregate_id: string;
  readonly event_type: string;
  readonly sequence: number;
  readonly timestamp: string;
  readonly payload: unknown;
}

export interface Folded {
  readonly aggregateId: string;
  readonly state: unknown;
}

/**
 * What a user writes first: an ordered consumer's `consume()`, JSON.parse, and a Map of states, with the same projection
 * as the measured command has. Yields the state of an event's aggregate after each event.
 */
export async function* consumeAndFold(client: NatsClient, { stream, events }: ProbeTask): AsyncGenerator<Folded> {
  const projection = flatProjection();
  const consumer = await client.js.consumers.get(stream);
  const messages = await consumer.consume({ max_messages: 5_000 });
  const states = new Map<string, unknown>();
  let received = 0;
  for await (const message of messages) {
    const event = message.json<FlatEnvelope>();
    const aggregateId = event.aggregate_id;
    const before = states.get(aggregateId) ?? projection.initial(aggregateId);
    const state = projection.evolve(before, replayEvent(event, message.seq));
    states.set(aggregateId, state);
    yield { aggregateId, state };
    if (++received === events) break;
  }
}

/** An envelope as `evolve` takes it. */
export function replayEvent(event: FlatEnvelope, streamSequence: number): ReplayEvent {
  return {
    type: event.event_type,
    payload: event.payload,
    aggregateId: event.aggregate_id,
    aggregateType: null,
    domain: "graph",
    timestamp: event.timestamp,
    sequence: event.sequence,
    streamSequence,
    eventId: event.event_id,
    correlationId: null,
    causationId: null,
    metadata: {},
    headers: {},
  };
}

export function flatProjection() {
  const projection = builtinProjections.get("aggregate");
  if (!projection) throw new Error("Cannot fold: there is no built-in projection of that name.");
  return projection;
}

export function entryText(state: unknown): string {
  return JSON.stringify(flatProjection().encode?.(state) ?? state);
}
