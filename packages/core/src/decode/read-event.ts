import type { StreamMessage } from "../event.ts";
import { errorMessage } from "../errors.ts";
import { entryKey } from "../key.ts";
import { DomainEvent } from "./domain-event.ts";
import type { EnvelopeFields } from "./envelopes/envelope.ts";
import { timeMsOf, timestampOf } from "./event-time.ts";
import { isObject, sequenceOf, textOf } from "./fields.ts";
import { HeaderFields } from "./headers.ts";
import { Malformed, oneLine, show } from "./malformed.ts";
import type { SubjectTemplate } from "./subject-template.ts";

/** Where an event's fields come from when its envelope does not state them. */
interface Sources {
  readonly message: StreamMessage;
  readonly routeKey: string | null;
  readonly domain: string;
  readonly template: SubjectTemplate;
}

/** Ids up to here give a legal key whatever characters they hold. */
const MAX_SURE_ID_LENGTH = 200;

/** Fills what the envelope does not say from headers, subject and message; headers are parsed only if they are asked. */
export function readEvent(fields: EnvelopeFields, sources: Sources): DomainEvent | Malformed {
  const { message, routeKey, domain, template } = sources;
  const headers = new HeaderFields(message);

  const aggregateId = fields.aggregateId ?? routeKey ?? headers.get("aggregateId");
  if (aggregateId === null) return new Malformed("there is no aggregate id in its subject, envelope or headers");
  const idProblem = problemOfId(domain, aggregateId);
  if (idProblem !== null) return new Malformed(idProblem);

  const type = fields.type ?? headers.get("type") ?? template.eventType(message.subject) ?? typeWithin(fields.payload);
  if (type === null) return new Malformed("there is no event type in its envelope, headers or subject");

  const time = fields.time ?? headers.get("time");
  // Receipt is in milliseconds by contract: nothing to tell apart.
  const timestampMs = time === null ? Math.floor(message.receivedAtMs) : timeMsOf(time);
  if (Number.isNaN(timestampMs)) return new Malformed(`its time is none that can be read: ${show(time)}`);

  return new DomainEvent(
    {
      type,
      payload: fields.payload,
      aggregateId,
      aggregateType: fields.aggregateType ?? headers.get("aggregateType") ?? aggregateTypeIn(message, template),
      domain,
      timestamp: timestampOf(time, timestampMs),
      timestampMs,
      sequence: fields.sequence ?? sequenceOfHeader(headers.get("sequence")),
      eventId: fields.eventId ?? headers.get("eventId"),
      correlationId: fields.correlationId ?? headers.get("correlationId"),
      causationId: fields.causationId ?? headers.get("causationId"),
      metadata: fields.metadata,
      cid: fields.cid ?? headers.get("cid"),
      previousCid: fields.previousCid ?? headers.get("previousCid"),
    },
    message,
  );
}

/** The subject's text is only made where it can hold a type. */
function aggregateTypeIn(message: StreamMessage, template: SubjectTemplate): string | null {
  return template.holdsAggregateTypes ? template.aggregateType(message.subject) : null;
}

function problemOfId(domain: string, aggregateId: string): string | null {
  if (aggregateId.length <= MAX_SURE_ID_LENGTH && aggregateId.isWellFormed()) return null;
  try {
    entryKey(domain, aggregateId);
    return null;
  } catch (error) {
    return `its aggregate id has no key: ${oneLine(errorMessage(error))}`;
  }
}

/** The tag inside a body that nothing else names. */
function typeWithin(payload: unknown): string | null {
  return isObject(payload) ? textOf(payload.type) : null;
}

function sequenceOfHeader(text: string | null): number | null {
  return text !== null && /^\d+$/.test(text) ? sequenceOf(Number(text)) : null;
}
