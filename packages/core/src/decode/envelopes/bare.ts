import { cidOf, idOf, type JsonObject, NO_FIELDS, objectOf, textOf } from "../fields.ts";
import { timeMsOf } from "../event-time.ts";
import { untagBare } from "../tagged.ts";
import type { EnvelopeFields } from "./envelope.ts";

/**
 * The event's body alone. Headers and subject say the rest; but where a body has one of the usual fields itself, that
 * counts; and the domain's id (`graph_id`) where the subject holds none.
 */
export function readBare(body: JsonObject, subjectId: string | null, domain: string): EnvelopeFields {
  const { type, payload } = untagBare(body);
  const time = body.timestamp;
  return {
    type,
    payload,
    aggregateId: idOf(body.aggregate_id) ?? subjectId ?? idOf(objectOf(payload)[`${domain}_id`]),
    aggregateType: textOf(body.aggregate_type),
    sequence: null,
    // Here it is one of the domain's own fields: no fault where it is no time.
    time: Number.isNaN(timeMsOf(time)) ? null : time,
    eventId: idOf(body.event_id),
    correlationId: idOf(body.correlation_id),
    causationId: idOf(body.causation_id),
    metadata: NO_FIELDS,
    cid: cidOf(body.event_cid) ?? cidOf(body.cid),
    previousCid: cidOf(body.previous_cid) ?? cidOf(body.parent_cid),
  };
}
