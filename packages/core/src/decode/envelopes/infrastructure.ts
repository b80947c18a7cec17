import { idOf, type JsonObject, objectOf, sequenceOf, textOf } from "../fields.ts";
import { untagAs } from "../tagged.ts";
import type { EnvelopeFields } from "./envelope.ts";

export function isInfrastructure(body: JsonObject): boolean {
  return body.data !== undefined && body.payload === undefined && typeof body.event_type === "string";
}

/** `{event_id, aggregate_id, sequence, timestamp, event_type, data, …}`. */
export function readInfrastructure(body: JsonObject): EnvelopeFields | string {
  if (body.data === undefined) return "it has no data";
  const named = untagAs(textOf(body.event_type), body.data);
  return {
    type: named.type,
    payload: named.payload,
    aggregateId: idOf(body.aggregate_id),
    aggregateType: textOf(body.aggregate_type),
    sequence: sequenceOf(body.sequence),
    time: body.timestamp,
    // Its event_id is the aggregate's id, the same for all of its events.
    eventId: null,
    correlationId: idOf(body.correlation_id),
    causationId: idOf(body.causation_id),
    metadata: objectOf(body.metadata),
    cid: null,
    previousCid: null,
  };
}
