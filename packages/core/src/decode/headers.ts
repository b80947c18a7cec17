import type { EventHeaders, HeaderPair, StreamMessage } from "../event.ts";
import { headersInOrder } from "../header-pairs.ts";

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

/** Where a name's value is kept while a message is read. */
const SLOTS: ReadonlyMap<string, number> = new Map(
  Object.values(NAMES)
    .flat()
    .map((name, slot) => [name, slot]),
);

/** A message's headers by what they say, names compared without regard to case. Read only when something is asked. */
export class HeaderFields {
  readonly #message: StreamMessage;
  /** By slot of the name. */
  #values: readonly (string | undefined)[] | undefined;

  constructor(message: StreamMessage) {
    this.#message = message;
  }

  get(field: HeaderField): string | null {
    this.#values ??= valuesBySlot(headersInOrder(this.#message));
    if (this.#values.length === 0) return null;
    for (const name of NAMES[field]) {
      const value = this.#values[SLOTS.get(name) ?? -1];
      if (value !== undefined) return value;
    }
    return null;
  }
}

export const NO_HEADERS: EventHeaders = Object.freeze(Object.create(null));
const NO_VALUES: readonly undefined[] = [];

function valuesBySlot(headers: readonly HeaderPair[]): readonly (string | undefined)[] {
  if (headers.length === 0) return NO_VALUES;
  const values = new Array<string | undefined>(SLOTS.size);
  for (const [name, value] of headers) {
    const slot = slotOf(name);
    // An empty value says nothing; of two names that differ in case only, the first counts.
    if (slot !== undefined && value !== "") values[slot] ??= value;
  }
  return values;
}

const MAX_REMEMBERED_NAMES = 1_000;
const remembered = new Map<string, number | undefined>();

/** Producers write the same few names on every message; in lower case, each would be a new text every time. */
function slotOf(name: string): number | undefined {
  const known = remembered.get(name);
  if (known !== undefined || remembered.has(name)) return known;
  // Names come from input: there may be any number of them.
  if (remembered.size >= MAX_REMEMBERED_NAMES) remembered.clear();
  const slot = SLOTS.get(name.toLowerCase());
  remembered.set(name, slot);
  return slot;
}
