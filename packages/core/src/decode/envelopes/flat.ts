import { cidOf, idOf, type JsonObject, objectOf, sequenceOf, textOf } from "../fields.ts";
import { untagAs, untagBare } from "../tagged.ts";
import type { EnvelopeFields } from "./envelope.ts";

/** `{event_id, aggregate_id, …, payload}`. Where there is no `payload`, the whole body is it. */
export function readFlat(body: JsonObject): EnvelopeFields {
  const named = body.payload === undefined ? untagBare(body) : untagAs(textOf(body.event_type), body.payload);
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
    cid: cidOf(body.event_cid) ?? cidOf(body.cid),
    previousCid: cidOf(body.previous_cid) ?? cidOf(body.parent_cid),
  };
}
