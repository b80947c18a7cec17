import type { EventHeaders } from "../event.ts";

/** What the header families say of an event, by the names in lower case, the first that is there wins. */
const NAMES = {
  eventId: ["x-message-id", "nats-msg-id"],
  type: ["x-event-type", "cim-event-type", "event-type"],
  aggregateId: ["x-aggregate-id", "cim-aggregate-id", "aggregate-id"],
  aggregateType: ["x-aggregate-type", "cim-aggregate-type", "aggregate-type"],
  correlationId: ["x-correlation-id", "cim-correlation-id", "correlation-id"],
  causationId: ["x-causation-id", "cim-causation-id", "causation-id"],
  sequence: ["x-sequence"],
  time: ["x-timestamp", "cim-timestamp"],
  cid: ["x-cid"],
  previousCid: ["x-parent-cid"],
} as const;

export type HeaderField = keyof typeof NAMES;

/** Looks names up without regard to case. Built only for messages that have headers, when something is asked of them. */
export class HeaderFields {
  readonly #byLowerName = new Map<string, string>();

  constructor(headers: EventHeaders) {
    for (const name of Object.keys(headers)) {
      const value = headers[name];
      // An empty value says nothing; of two names that differ in case only, the first counts.
      if (value && !this.#byLowerName.has(name.toLowerCase())) this.#byLowerName.set(name.toLowerCase(), value);
    }
  }

  get(field: HeaderField): string | null {
    for (const name of NAMES[field]) {
      const value = this.#byLowerName.get(name);
      if (value !== undefined) return value;
    }
    return null;
  }
}

export const NO_HEADERS: EventHeaders = Object.freeze(Object.create(null));
