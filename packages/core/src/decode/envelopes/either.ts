import { idOf, isObject, type JsonObject, objectOf, textOf } from "../fields.ts";
import { untagAs } from "../tagged.ts";
import type { EnvelopeFields } from "./envelope.ts";

export function isEither(body: JsonObject): boolean {
  return isObject(body.payload) && (body.payload.kind === "Left" || body.payload.kind === "Right");
}

/**
 * cim-domain now: `payload` is `{kind: "Right", value}` with the event's body, or `{kind: "Left", value}` with the
 * content id of a body kept elsewhere; that one is given to projections as `{cid: value}`.
 */
export function readEither(body: JsonObject): EnvelopeFields | string {
  const payload = body.payload;
  if (!isObject(payload) || (payload.kind !== "Left" && payload.kind !== "Right")) {
    return 'its payload is neither {"kind": "Left", …} nor {"kind": "Right", …}';
  }
  const metadata = objectOf(body.payload_metadata);
  const value = payload.kind === "Left" ? { cid: payload.value } : payload.value;
  const named = untagAs(textOf(metadata.payload_type), value);
  return {
    type: named.type,
    payload: named.payload,
    aggregateId: idOf(body.aggregate_id),
    aggregateType: null,
    sequence: null,
    time: null,
    eventId: idOf(body.event_id),
    correlationId: idOf(body.correlation_id),
    causationId: idOf(body.causation_id),
    metadata,
    cid: null,
    previousCid: null,
  };
}
