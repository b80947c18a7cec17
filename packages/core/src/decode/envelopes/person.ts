import { cidOf, idOf, isObject, type JsonObject, objectOf, sequenceOf, textOf } from "../fields.ts";
import { untagAs } from "../tagged.ts";
import type { EnvelopeFields } from "./envelope.ts";

export function isPerson(body: JsonObject): boolean {
  return body.aggregate_id !== undefined && (typeof body.event === "string" || isObject(body.event));
}

/** The store of person, agent and organization: `{aggregate_id, sequence, event, timestamp, …}`, the event tagged. */
export function readPerson(body: JsonObject): EnvelopeFields | string {
  if (body.event === undefined) return "it has no event";
  const named = untagAs(textOf(body.event_type), body.event);
  return {
    type: named.type,
    payload: named.payload,
    aggregateId: idOf(body.aggregate_id),
    aggregateType: textOf(body.aggregate_type),
    sequence: sequenceOf(body.sequence),
    time: body.timestamp,
    eventId: idOf(body.event_id),
    correlationId: idOf(body.correlation_id),
    causationId: idOf(body.causation_id),
    metadata: objectOf(body.metadata),
    cid: cidOf(body.cid),
    previousCid: cidOf(body.previous_cid),
  };
}
