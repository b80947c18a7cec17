import { contentId } from "./cid.ts";

/** An event before it is written: everything that its envelope says but its content ids. `payload` is JSON text. */
export interface EventFacts {
  readonly eventId: string;
  readonly aggregateId: string;
  readonly aggregateType: string;
  readonly sequence: number;
  readonly type: string;
  readonly payload: string;
  readonly timestamp: string;
  readonly correlationId: string;
  readonly causationId: string | null;
  readonly previousCid: string | null;
}

export interface WrittenEvent {
  readonly text: string;
  /** Null in the lean form. */
  readonly cid: string | null;
}

/**
 * The flat envelope in full. `event_cid` is the content id of the event as it lies before it, with the previous one:
 * `{"event_id":…,"causation_id":…,"previous_cid":…}`, so the ids of an aggregate are a hash chain.
 */
export function writeFull(facts: EventFacts, metadata: string): WrittenEvent {
  const causation = facts.causationId === null ? "null" : `"${facts.causationId}"`;
  const previous = facts.previousCid === null ? "null" : `"${facts.previousCid}"`;
  const content = `${beginning(facts, `"aggregate_type":"${facts.aggregateType}",`)},"correlation_id":"${facts.correlationId}","causation_id":${causation}`;
  const cid = contentId(`${content},"previous_cid":${previous}}`);
  return {
    text: `${content},"event_cid":"${cid}","previous_cid":${previous},"actor":null,"metadata":{${metadata}}}`,
    cid,
  };
}

/** The flat envelope without what a consumer can do without: type of the aggregate, correlation, content ids, actor. */
export function writeLean(facts: EventFacts, metadata: string): WrittenEvent {
  return { text: `${beginning(facts, "")}${metadata === "" ? "" : `,"metadata":{${metadata}}`}}`, cid: null };
}

function beginning(facts: EventFacts, aggregateType: string): string {
  return `{"event_id":"${facts.eventId}","aggregate_id":"${facts.aggregateId}",${aggregateType}"sequence":${facts.sequence},"event_type":"${facts.type}","payload":${facts.payload},"timestamp":"${facts.timestamp}"`;
}
