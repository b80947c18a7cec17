import { cidOf, idOf, isObject, type JsonObject, objectOf, sequenceOf, textOf } from "../fields.ts";
import { untagAs } from "../tagged.ts";
import type { EnvelopeFields } from "./envelope.ts";

export function isStored(body: JsonObject): boolean {
  return isObject(body.stored_event);
}

/** cim-domain 0.5: `{stored_event: {…, event, metadata, stored_at}, event_with_cid: {event, cid, previous_cid}}`. */
export function readStored(body: JsonObject): EnvelopeFields | string {
  const stored = body.stored_event;
  if (!isObject(stored)) return "it has no stored_event";
  const withCid = objectOf(body.event_with_cid);
  const metadata = objectOf(stored.metadata);
  const named = untagAs(textOf(stored.event_type), stored.event ?? withCid.event);
  return {
    type: named.type,
    payload: named.payload,
    aggregateId: idOf(stored.aggregate_id),
    aggregateType: textOf(stored.aggregate_type),
    sequence: sequenceOf(stored.sequence),
    time: stored.stored_at,
    eventId: idOf(stored.event_id),
    correlationId: idOf(metadata.correlation_id),
    causationId: idOf(metadata.causation_id),
    metadata,
    cid: cidOf(withCid.cid),
    previousCid: cidOf(withCid.previous_cid),
  };
}
