import { cidOf, idOf, isObject, type JsonObject, NO_FIELDS, textOf } from "../fields.ts";
import { untagAs } from "../tagged.ts";
import type { EnvelopeFields } from "./envelope.ts";

export function isDialog(body: JsonObject): boolean {
  return isObject(body.content) && cidOf(body.cid) !== null;
}

/**
 * cim-domain's dialog: `{conversation_id, cid, content: {event_id, type, timestamp, parent_cid, …}}`. Has no name among
 * the settings: `auto` finds it.
 */
export function readDialog(body: JsonObject): EnvelopeFields {
  const content = isObject(body.content) ? body.content : NO_FIELDS;
  const named = untagAs(textOf(content.event_type) ?? textOf(content.type), content);
  return {
    type: named.type,
    payload: named.payload,
    aggregateId: idOf(body.aggregate_id) ?? idOf(body.conversation_id),
    aggregateType: null,
    sequence: null,
    time: content.timestamp,
    eventId: idOf(content.event_id),
    correlationId: idOf(content.correlation_id),
    causationId: idOf(content.causation_id),
    metadata: NO_FIELDS,
    cid: cidOf(body.cid),
    previousCid: cidOf(content.parent_cid),
  };
}
