import { cidOf, idOf, type JsonObject, objectOf, sequenceOf, textOf } from "../fields.ts";
import { untagAs } from "../tagged.ts";
import type { EnvelopeFields } from "./envelope.ts";

export function isCimEvents(body: JsonObject): boolean {
  return body.event_data !== undefined;
}

/** `{sequence, aggregate_id, event_type, event_data, header: {message_id, …}, cid, parent_cid, timestamp}`. */
export function readCimEvents(body: JsonObject): EnvelopeFields | string {
  if (body.event_data === undefined) return "it has no event_data";
  const header = objectOf(body.header);
  const named = untagAs(textOf(body.event_type), body.event_data);
  return {
    type: named.type,
    payload: named.payload,
    aggregateId: idOf(body.aggregate_id),
    aggregateType: textOf(body.aggregate_type),
    sequence: sequenceOf(body.sequence),
    time: body.timestamp ?? header.timestamp,
    eventId: idOf(header.message_id),
    correlationId: idOf(header.correlation_id),
    causationId: idOf(header.causation_id),
    metadata: objectOf(body.metadata),
    cid: cidOf(body.cid),
    previousCid: cidOf(body.parent_cid),
  };
}
