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

/**
 * The aggregates of a unit, by routing key, numbered in order of first appearance. What `get`, `find`, `at` and `add` give may
 * be changed until the next of these calls; `markChanged` comes after the change. What the others give is for reading.
 */
export interface Aggregates {
  readonly size: number;
  get(routeKey: string): Aggregate | undefined;
  /** By the routing key's bytes; undefined also where only the text would find it. */
  find(bytes: Uint8Array, place: { at: number; end: number }): Aggregate | undefined;
  at(index: number): Aggregate | undefined;
  /** Throws ReplayError where another routing key has the same id already. */
  add(routeKey: string, id: string, partition: number): Aggregate;
  markChanged(aggregate: Aggregate): void;
  /** Comes after what a checkpoint says of one that was just added or asked for was put into it. */
  restored(aggregate: Aggregate): void;
  /** What changed since the last call; the caller makes it durable before anything else changes. */
  takeChanged(): Iterable<Aggregate> & { readonly length: number };
  /** By number. */
  all(): Iterable<Aggregate>;
  /** By partition, and in each by key; the unit's last step, after which nothing is changed. */
  sorted(): Iterable<Aggregate>;
  countIn(partition: number): number;
  /** The one with most events; null where none has any. Those that an entry held before this run are not told apart. */
  readonly hottest: UnitRecord["hottest"];
}

/** All in memory. */
export class AggregateTable implements Aggregates {
  readonly #domain: string;
  readonly #byRouteKey = new Map<string, Aggregate>();
  #byBytes = new KeyIndex<Aggregate>();
  /** Only of aggregates whose id is not their routing key. */
  readonly #renamed = new Map<string, string>();
  #all: Aggregate[] = [];
  readonly #countByPartition: number[] = [];
  #changed: Aggregate[] = [];
  /** Of those that are not in `#changed`: looking at all of them at each checkpoint would cost more than many a checkpoint. */
  #hottest: UnitRecord["hottest"] = null;

  constructor(domain: string) {
    this.#domain = domain;
  }

  get size(): number {
    return this.#all.length;
  }

  get(routeKey: string): Aggregate | undefined {
    return this.#byRouteKey.get(routeKey);
  }

  find(bytes: Uint8Array, { at, end }: { at: number; end: number }): Aggregate | undefined {
    return this.#byBytes.find(bytes, at, end);
  }

  at(index: number): Aggregate | undefined {
    return this.#all[index];
  }

  all(): readonly Aggregate[] {
    return this.#all;
  }

  /** Gives them away by number, and keeps nothing: each one's memory is free as soon as the taker has done with it. */
  *drain(): Generator<Aggregate> {
    const all: (Aggregate | undefined)[] = this.#all;
    this.#all = [];
    this.#changed = [];
    this.#byRouteKey.clear();
    this.#renamed.clear();
    this.#byBytes = new KeyIndex<Aggregate>();
    for (const [at, aggregate] of all.entries()) {
      all[at] = undefined;
      if (aggregate) yield aggregate;
    }
  }

  sorted(): readonly Aggregate[] {
    return this.#all.toSorted((a, b) => a.partition - b.partition || byKey(a, b));
  }

  countIn(partition: number): number {
    return this.#countByPartition[partition] ?? 0;
  }

  get hottest(): UnitRecord["hottest"] {
    return this.#changed.reduce(hotter, this.#hottest);
  }

  add(routeKey: string, id: string, partition: number): Aggregate {
    if (routeKey !== id) this.#rename(routeKey, id);
    const aggregate = newAggregate(this.#all.length, { routeKey, id, key: entryKey(this.#domain, id), partition });
    this.#countByPartition[partition] = this.countIn(partition) + 1;
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

  restored(aggregate: Aggregate): void {
    this.#hottest = hotter(this.#hottest, aggregate);
  }

  takeChanged(): Aggregate[] {
    const taken = this.#changed;
    this.#changed = [];
    for (const aggregate of taken) {
      aggregate.changed = false;
      this.#hottest = hotter(this.#hottest, aggregate);
    }
    return taken;
  }
}

export function newAggregate(
  index: number,
  identity: Pick<Aggregate, "routeKey" | "id" | "key" | "partition">,
): Aggregate {
  const nothing = { appliedUpToSeq: 0, lastCid: null, lastEnvelopeSequence: null, parked: false, changed: false };
  return { index, ...identity, state: undefined, events: 0, lastSeq: 0, ...nothing };
}

/** What was the hottest, or the aggregate where it is hotter. */
export function hotter(hottest: UnitRecord["hottest"], aggregate: Aggregate): UnitRecord["hottest"] {
  const { id, events, appliedUpToSeq } = aggregate;
  return appliedUpToSeq === 0 && events > (hottest?.events ?? 0) ? { aggregateId: id, events } : hottest;
}

/** By UTF-16 code units, as JavaScript compares texts everywhere. */
function byKey(a: Aggregate, b: Aggregate): number {
  return a.key < b.key ? -1 : Number(a.key > b.key);
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
export function twoKeys(id: string, one: string, other: string): ReplayError {
  return new ReplayError(
    `Cannot route by subject: the tokens "${one}" and "${other}" both hold aggregate "${id}". ` +
      "Put * in place of {aggregate_id} in the domain's subject template, so that ids come from the envelope.",
  );
}
