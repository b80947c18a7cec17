import type { DecodedEvent, MalformedEvent, RawSubject, StreamMessage } from "../event.ts";
import type { DomainSettings } from "../settings.ts";
import { ENVELOPES } from "./envelopes/table.ts";
import { DomainEvent } from "./domain-event.ts";
import { readEvent } from "./read-event.ts";
import { Malformed } from "./malformed.ts";
import { payloadOf } from "./payload.ts";
import { type IdPlace, SubjectTemplate } from "./subject-template.ts";

/** Finds and decodes the events of one domain. */
export interface DomainCodec {
  /**
   * Routing key of a message of this domain: the subject's aggregate id; null where the template holds none; undefined
   * where the subject is not of this domain. Hot: asked for every message of the stream.
   */
  route(subject: string): string | null | undefined;
  /**
   * Where the routing key lies in the bytes of a subject; undefined wherever `route` must be asked: there may be a key all
   * the same. Valid until the next call.
   */
  locate(subject: RawSubject): IdPlace | undefined;
  /**
   * Decodes; `routeKey` is what `route` gave. Where the envelope has its own aggregate id and type, they win over the
   * subject's. Never throws: a hostile payload is a malformed event.
   */
  decode(message: StreamMessage, routeKey: string | null): DecodedEvent | MalformedEvent;
  /** What `decode` gave, once more: with a payload and metadata of its own, for another who may change or keep them. */
  copy(event: DecodedEvent): DecodedEvent;
  /** Server-side subject filters that cover this domain, e.g. `["events.graph.>"]`. */
  readonly subjects: readonly string[];
  /** Filters of one aggregate, e.g. `["events.graph.ID", "events.graph.ID.>"]`; null where subjects cannot hold the id. */
  aggregateSubjects(aggregateId: string): readonly string[] | null;
  readonly idInSubject: boolean;
}

/** Throws UsageError where the subject template is none. */
export function compileDomain(domain: string, settings: DomainSettings): DomainCodec {
  const template = new SubjectTemplate(settings.subject, domain);
  const readEnvelope = ENVELOPES[settings.envelope];
  return {
    route: (subject) => template.route(subject),
    locate: (subject) => template.locate(subject),
    decode(message, routeKey) {
      const body = payloadOf(message);
      if (body instanceof Malformed) return body;
      const fields = readEnvelope(body, routeKey, domain);
      if (typeof fields === "string")
        return new Malformed(`the payload is no ${settings.envelope} envelope: ${fields}`);
      return readEvent(fields, { message, routeKey, domain, template });
    },
    copy: (event) => (event instanceof DomainEvent ? event.copy() : event),
    subjects: template.filters(),
    aggregateSubjects: (aggregateId) => template.filtersOf(aggregateId),
    idInSubject: template.holdsIds,
  };
}
