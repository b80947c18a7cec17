import type { JsonObject } from "../fields.ts";
import { readBare } from "./bare.ts";
import { isCimEvents, readCimEvents } from "./cim-events.ts";
import { isCimGraph, readCimGraph } from "./cim-graph.ts";
import { isDialog, readDialog } from "./dialog.ts";
import { isEither, readEither } from "./either.ts";
import type { EnvelopeFields } from "./envelope.ts";
import { readFlat } from "./flat.ts";
import { isInfrastructure, readInfrastructure } from "./infrastructure.ts";
import { isPerson, readPerson } from "./person.ts";
import { isStored, readStored } from "./stored.ts";

/**
 * Tells the form by the body alone. What the event before it was does not count: an event must decode the same whichever
 * events are read beside it.
 */
export function readAuto(body: JsonObject, subjectId: string | null, domain: string): EnvelopeFields | string {
  if (isStored(body)) return readStored(body);
  if (isEither(body)) return readEither(body);
  if (isCimEvents(body)) return readCimEvents(body);
  if (isCimGraph(body)) return readCimGraph(body);
  if (body.payload !== undefined && namesItself(body)) return readFlat(body);
  if (isInfrastructure(body)) return readInfrastructure(body);
  if (isPerson(body)) return readPerson(body);
  if (isDialog(body)) return readDialog(body);
  if (body.event_type !== undefined && body.aggregate_id !== undefined) return readFlat(body);
  return readBare(body, subjectId, domain);
}

/** A body of the domain's may have a `payload` as well, but none of these beside it. */
function namesItself(body: JsonObject): boolean {
  return body.event_type !== undefined || body.event_id !== undefined || body.aggregate_id !== undefined;
}
