import { entryKey, ReplayError, type UnitRecord } from "@cim-replay/core";
import { KeyIndex } from "./key-index.ts";

/** One aggregate at work. Mutable: it is touched once an event. */
export interface Aggregate {
  /** Position in the table; checkpoints name aggregates by it. */
  readonly index: number;
  readonly routeKey: string;
  readonly id: string;
  readonly key: string;
  /** Index within the unit's list of partitions. */
  readonly partition: number;
  /** Undefined until the first event is folded. */
  state: unknown;
  /** Events folded into the state. */
  events: number;
  lastSeq: number;
  /** Events up to this sequence are in the entry that the run goes on from. */
  appliedUpToSeq: number;
  lastCid: string | null;
  lastEnvelopeSequence: number | null;
  /** Set where an event could not be taken: its state is not to be trusted and its later events wait. */
  parked: boolean;
  changed: boolean;
}

/** The aggregates of a unit, by routing key, in order of first appearance. */
export class AggregateTable {
  readonly #domain: string;
  readonly #adopt: ((aggregate: Aggregate) => void) | null;
  readonly #byRouteKey = new Map<string, Aggregate>();
  readonly #byBytes = new KeyIndex<Aggregate>();
  /** Only of aggregates whose id is not their routing key. */
  readonly #renamed = new Map<string, string>();
  readonly #all: Aggregate[] = [];
  #changed: Aggregate[] = [];

  /** `adopt` may take over where a new aggregate's state is kept. */
  constructor(domain: string, adopt: ((aggregate: Aggregate) => void) | null = null) {
    this.#domain = domain;
    this.#adopt = adopt;
  }

  /** Of the same domain, all in memory. */
  emptyCopy(): AggregateTable {
    return new AggregateTable(this.#domain);
  }

  get size(): number {
    return this.#all.length;
  }

  get(routeKey: string): Aggregate | undefined {
    return this.#byRouteKey.get(routeKey);
  }

  /** By the routing key's bytes; undefined also where only the text would find it. */
  find(bytes: Uint8Array, { at, end }: { at: number; end: number }): Aggregate | undefined {
    return this.#byBytes.find(bytes, at, end);
  }

  at(index: number): Aggregate | undefined {
    return this.#all[index];
  }

  all(): readonly Aggregate[] {
    return this.#all;
  }

  /** Throws ReplayError where another routing key has the same id already. */
  add(routeKey: string, id: string, partition: number): Aggregate {
    if (routeKey !== id) this.#rename(routeKey, id);
    const aggregate: Aggregate = {
      index: this.#all.length,
      routeKey,
      id,
      key: entryKey(this.#domain, id),
      partition,
      state: undefined,
      events: 0,
      lastSeq: 0,
      appliedUpToSeq: 0,
      lastCid: null,
      lastEnvelopeSequence: null,
      parked: false,
      changed: false,
    };
    this.#adopt?.(aggregate);
    this.#byRouteKey.set(routeKey, aggregate);
    this.#byBytes.add(aggregate);
    this.#all.push(aggregate);
    return aggregate;
  }

  #rename(routeKey: string, id: string): void {
    const other = this.#renamed.get(id) ?? this.#byRouteKey.get(id)?.routeKey;
    if (other !== undefined && other !== routeKey) throw twoKeys(id, other, routeKey);
    this.#renamed.set(id, routeKey);
  }

  markChanged(aggregate: Aggregate): void {
    if (aggregate.changed) return;
    aggregate.changed = true;
    this.#changed.push(aggregate);
  }

  /** What changed since the last call; the caller makes it durable. */
  takeChanged(): Aggregate[] {
    const taken = this.#changed;
    this.#changed = [];
    for (const aggregate of taken) aggregate.changed = false;
    return taken;
  }
}

/** The one with most events; null where none has any. Those that an entry held before this run are not told apart. */
export function hottestOf(aggregates: Iterable<Aggregate>): UnitRecord["hottest"] {
  let hottest: Aggregate | null = null;
  for (const aggregate of aggregates) {
    if (aggregate.appliedUpToSeq === 0 && aggregate.events > (hottest?.events ?? 0)) hottest = aggregate;
  }
  return hottest && { aggregateId: hottest.id, events: hottest.events };
}

/**
 * The subject routes, the envelope names. Where one routing key would hold two ids, folding by the key would mix two
 * aggregates: that is a wrong subject template, and no event's fault.
 */
export function assertSameId(aggregate: Aggregate, id: string, seq: number): void {
  if (aggregate.id === id) return;
  throw new ReplayError(
    `Cannot route by subject: the token "${aggregate.routeKey}" holds aggregates "${aggregate.id}" and "${id}" (sequence ${seq}). ` +
      "Put * in place of {aggregate_id} in the domain's subject template, so that ids come from the envelope.",
  );
}

/** Two routing keys of one aggregate may lie in different partitions, where nobody could fold its events in order. */
function twoKeys(id: string, one: string, other: string): ReplayError {
  return new ReplayError(
    `Cannot route by subject: the tokens "${one}" and "${other}" both hold aggregate "${id}". ` +
      "Put * in place of {aggregate_id} in the domain's subject template, so that ids come from the envelope.",
  );
}
