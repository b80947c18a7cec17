import { canonicalType } from "@cim-replay/core";

/** Events by type, asked for by any spelling of the type; one that never came has 0. What CEL calls `events.by_type`. */
export class EventTypes extends Map<string, bigint> {
  override get(type: string): bigint {
    return super.get(canonicalType(type)) ?? 0n;
  }
}

/** What CEL calls `events` in rules over counts. */
export class EventCounts {
  readonly by_type = new EventTypes();
  /** Messages of the domain, malformed ones too. */
  total = 0n;
  malformed = 0n;
  readonly #asWritten = new Set<string>();

  /** Every type that came, as the producers wrote it. */
  get types(): string[] {
    return [...this.#asWritten].sort();
  }

  addMalformed(): void {
    this.total++;
    this.malformed++;
  }

  add(type: string): void {
    this.total++;
    this.by_type.set(canonicalType(type), this.by_type.get(type) + 1n);
    if (this.#asWritten.size < MOST_TYPES) this.#asWritten.add(type);
  }
}

/** A type is a word of a program. Where ids are taken for types, memory must not grow with them. */
const MOST_TYPES = 10_000;
