import type { JsonObject } from "../fields.ts";

/** What an envelope says of its event. Null where it says nothing: then headers, subject and message are asked. */
export interface EnvelopeFields {
  readonly type: string | null;
  readonly payload: unknown;
  readonly aggregateId: string | null;
  readonly aggregateType: string | null;
  readonly sequence: number | null;
  /** As written; undefined or null where there is none. */
  readonly time: unknown;
  readonly eventId: string | null;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  readonly metadata: JsonObject;
  readonly cid: string | null;
  readonly previousCid: string | null;
}

/**
 * Reads one form of envelope. Never throws; gives the reason, for people, where the body is not of that form.
 * `subjectId` is the aggregate id of the subject, where that holds one.
 */
export type ReadEnvelope = (body: JsonObject, subjectId: string | null, domain: string) => EnvelopeFields | string;
