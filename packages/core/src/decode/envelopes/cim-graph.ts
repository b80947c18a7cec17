import { cidOf, idOf, isObject, type JsonObject, objectOf, sequenceOf } from "../fields.ts";
import { tagOf, untag } from "../tagged.ts";
import type { EnvelopeFields } from "./envelope.ts";

/** Its payload has two tags, or it lies with an event's id inside `event`. */
export function isCimGraph(body: JsonObject): boolean {
  if (isObject(body.event)) return isObject(body.event.payload) && body.event.event_id !== undefined;
  return body.event_type === undefined && innerOf(body.payload) !== null;
}

/** `{event: {…, payload: {Workflow: {WorkflowDefined: {…}}}}, cid, sequence, headers}`, or its `event` alone. */
export function readCimGraph(body: JsonObject): EnvelopeFields | string {
  const event = isObject(body.event) ? body.event : body;
  if (event.payload === undefined) return "it has no event with a payload";
  const inner = innerOf(event.payload);
  const named = untag(inner ?? event.payload);
  return {
    type: named.type,
    payload: named.payload,
    aggregateId: idOf(event.aggregate_id),
    aggregateType: inner === null ? null : tagOf(event.payload),
    // Its producer writes 0 for every event.
    sequence: sequenceOf(body.sequence) || null,
    time: event.timestamp,
    eventId: idOf(event.event_id),
    correlationId: idOf(event.correlation_id),
    causationId: idOf(event.causation_id),
    metadata: objectOf(body.headers),
    cid: cidOf(body.cid),
    previousCid: cidOf(body.previous_cid),
  };
}

/** What the outer tag holds, where that is tagged itself. */
function innerOf(payload: unknown): unknown {
  const tag = tagOf(payload);
  if (tag === null) return null;
  const inner = (payload as JsonObject)[tag];
  return typeof inner === "string" || tagOf(inner) !== null ? inner : null;
}
