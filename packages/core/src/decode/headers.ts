import type { EventHeaders, StreamMessage } from "../event.ts";

/** The families' names in lower case, by what they say of an event; of several in one message the first here counts. */
const NAMES = {
  eventId: ["x-message-id", "nats-msg-id"],
  type: ["x-event-type", "cim-event-type", "event-type"],
  aggregateId: ["x-aggregate-id", "cim-aggregate-id", "aggregate-id"],
  aggregateType: ["cim-aggregate-type"],
  correlationId: ["x-correlation-id", "cim-correlation-id"],
  causationId: ["x-causation-id", "cim-causation-id"],
  sequence: ["x-sequence"],
  time: ["x-timestamp", "cim-timestamp"],
  cid: ["x-cid"],
  previousCid: ["x-parent-cid"],
} as const;

type HeaderField = keyof typeof NAMES;

/** A message's headers by what they say, names compared without regard to case. Parsed only when something is asked. */
export class HeaderFields {
  readonly #message: StreamMessage;
  #byLowerName: ReadonlyMap<string, string> | undefined;

  constructor(message: StreamMessage) {
    this.#message = message;
  }

  get(field: HeaderField): string | null {
    this.#byLowerName ??= indexHeaders(this.#message.headers);
    if (this.#byLowerName.size === 0) return null;
    for (const name of NAMES[field]) {
      const value = this.#byLowerName.get(name);
      if (value !== undefined) return value;
    }
    return null;
  }
}

export const NO_HEADERS: EventHeaders = Object.freeze(Object.create(null));
const NOTHING: ReadonlyMap<string, string> = new Map();
const KNOWN_NAMES: ReadonlySet<string> = new Set(Object.values(NAMES).flat());

function indexHeaders(headers: EventHeaders | undefined): ReadonlyMap<string, string> {
  if (headers === undefined) return NOTHING;
  const byLowerName = new Map<string, string>();
  for (const name of Object.keys(headers)) {
    const lowerName = lowerCaseOf(name);
    const value = headers[name];
    // An empty value says nothing; of two names that differ in case only, the first counts.
    if (value && KNOWN_NAMES.has(lowerName) && !byLowerName.has(lowerName)) byLowerName.set(lowerName, value);
  }
  return byLowerName;
}

const MAX_REMEMBERED_NAMES = 1_000;
const remembered = new Map<string, string>();

/** Producers write the same few names on every message; made anew, each would have to be hashed again. */
function lowerCaseOf(name: string): string {
  const known = remembered.get(name);
  if (known !== undefined) return known;
  // Names come from input: there may be any number of them.
  if (remembered.size >= MAX_REMEMBERED_NAMES) remembered.clear();
  const lowerName = name.toLowerCase();
  remembered.set(name, lowerName);
  return lowerName;
}
