import type { StatementSync } from "node:sqlite";
import { entryKey, NOWHERE, PositionIndex, type UnitRecord } from "@cim-replay/core";
import { type Aggregate, type Aggregates, hotter, newAggregate, twoKeys } from "./aggregate-table.ts";
import type { DiskFile } from "./disk-file.ts";
import { hashOf, isSame } from "./key-index.ts";
import type { KeyedValues } from "./keyed-values.ts";
import { LEAST_HOT_BYTES } from "./memory-guard.ts";
import { onDisk } from "./on-disk.ts";
import { assertPackable } from "./packable.ts";
import { packChunk, unpackChunk } from "./packed-chunk.ts";
import type { RecordFile } from "./record-file.ts";

/** Room is made for more than the next one. */
const LEFT_AFTER_MAKING_ROOM = 0.9;
const LEFT_WHEN_HOLDING_LESS = 0.8;
/** Of an aggregate beside its state and its keys. */
const FIXED_BYTES = 100;

interface Hot {
  readonly aggregate: Aggregate;
  /** Packed, when it was last packed; a guess before. */
  bytes: number;
  changes: number;
  /** It is measured at its first change, second, fourth, …: what grows evenly is never taken for less than half. */
  measureAt: number;
  /** Asked for since it was last looked at for making room. */
  isRecent: boolean;
}

type Row = [string, string, number, unknown, number, number, number, string | null, number | null, boolean];

/** Holds aggregates that have had no event for the longest time in a file; of each, memory keeps some twenty bytes. */
export class DiskTable implements Aggregates {
  size = 0;
  /** Aggregates that were put into the file, for tests and the log. */
  shelved = 0;
  readonly #domain: string;
  #hotLimit: number;
  readonly #index = new PositionIndex();
  /** Least recently taken from the file first. */
  readonly #hot = new Map<number, Hot>();
  readonly #renamed: KeyedValues<string>;
  readonly #countByPartition: number[] = [];
  readonly #records: RecordFile;
  readonly #addKey: StatementSync;
  readonly #byKey: StatementSync;
  /** Of those that have changed since they were put here. */
  hottest: UnitRecord["hottest"] = null;
  #changed = new Uint8Array(1_024);
  #changedCount = 0;
  #hotBytes = 0;
  #usualBytes = 4 * FIXED_BYTES;

  /** `hotBytes`: as packed, of what may stay in memory. */
  constructor(domain: string, file: DiskFile, hotBytes: number) {
    this.#domain = domain;
    this.#hotLimit = hotBytes;
    this.#renamed = file.map();
    this.#records = file.newRecords();
    const keys = file.newTable("keys");
    file.db.exec(`CREATE TABLE ${keys} (id INTEGER PRIMARY KEY, partition INTEGER NOT NULL, key TEXT NOT NULL)`);
    this.#addKey = file.db.prepare(`INSERT INTO ${keys} (id, partition, key) VALUES (?, ?, ?)`);
    // Keys are ASCII, so that bytes and UTF-16 sort alike.
    this.#byKey = file.db.prepare(`SELECT id FROM ${keys} ORDER BY partition, key`);
  }

  get(routeKey: string): Aggregate | undefined {
    const bytes = Buffer.from(routeKey);
    return this.find(bytes, { at: 0, end: bytes.length });
  }

  find(bytes: Uint8Array, { at, end }: { at: number; end: number }): Aggregate | undefined {
    const hash = hashOf(bytes, at, end);
    for (let slot = this.#index.slotOf(hash); slot !== NOWHERE; slot = this.#index.slotOf(hash, slot)) {
      const aggregate = this.at(this.#index.at(slot));
      if (aggregate && isKey(aggregate.routeKey, bytes, at, end)) return aggregate;
    }
    return undefined;
  }

  at(index: number): Aggregate | undefined {
    const known = this.#hot.get(index);
    if (known) {
      known.isRecent = true;
      return known.aggregate;
    }
    const read = this.#read(index);
    if (!read) return undefined;
    this.#keep(read.aggregate, read.bytes);
    return read.aggregate;
  }

  add(routeKey: string, id: string, partition: number): Aggregate {
    if (routeKey !== id) this.#rename(routeKey, id);
    const aggregate = newAggregate(this.size, { routeKey, id, key: entryKey(this.#domain, id), partition });
    this.#insert(aggregate);
    return aggregate;
  }

  /** Takes over one of another table, in the order of their numbers. */
  adopt(aggregate: Aggregate): void {
    if (aggregate.routeKey !== aggregate.id) this.#renamed.set(aggregate.id, aggregate.routeKey);
    this.hottest = hotter(this.hottest, aggregate);
    this.#insert(aggregate);
    if (aggregate.changed) this.markChanged(aggregate);
  }

  markChanged(aggregate: Aggregate): void {
    const { index } = aggregate;
    this.hottest = hotter(this.hottest, aggregate);
    if (this.#changed[index] === 0) {
      this.#changed[index] = 1;
      this.#changedCount += 1;
    }
    const hot = this.#hot.get(index);
    if (!hot || ++hot.changes < hot.measureAt) return;
    hot.measureAt *= 2;
    this.#measure(hot);
  }

  restored(aggregate: Aggregate): void {
    this.hottest = hotter(this.hottest, aggregate);
    const hot = this.#hot.get(aggregate.index);
    if (hot) this.#measure(hot);
  }

  #measure(hot: Hot): void {
    const bytes = pack(hot.aggregate).length + FIXED_BYTES;
    this.#hotBytes += bytes - hot.bytes;
    hot.bytes = bytes;
    if (this.#hotBytes > this.#hotLimit) this.#makeRoom(hot);
  }

  /** From now on less stays in memory: what is there takes more of it than was reckoned. */
  holdLess(): void {
    this.#hotLimit = Math.min(this.#hotLimit, Math.max(LEAST_HOT_BYTES, this.#hotLimit * LEFT_WHEN_HOLDING_LESS));
    this.#makeRoom(null);
  }

  takeChanged(): Iterable<Aggregate> & { readonly length: number } {
    const [flags, length] = [this.#changed, this.#changedCount];
    this.#changed = new Uint8Array(flags.length);
    this.#changedCount = 0;
    return { length, [Symbol.iterator]: () => this.#flagged(flags) };
  }

  *all(): Generator<Aggregate> {
    for (let index = 0; index < this.size; index++) {
      const aggregate = this.#look(index);
      if (aggregate) yield aggregate;
    }
  }

  *sorted(): Generator<Aggregate> {
    for (const { id } of this.#byKey.iterate()) {
      const aggregate = this.#look(Number(id));
      if (aggregate) yield aggregate;
    }
  }

  countIn(partition: number): number {
    return this.#countByPartition[partition] ?? 0;
  }

  #insert(aggregate: Aggregate): void {
    const bytes = Buffer.from(aggregate.routeKey);
    this.#index.add(hashOf(bytes, 0, bytes.length), this.size);
    this.#countByPartition[aggregate.partition] = this.countIn(aggregate.partition) + 1;
    onDisk(() => this.#addKey.run(aggregate.index, aggregate.partition, aggregate.key));
    if (this.size === this.#changed.length) this.#changed = grown(this.#changed);
    this.size += 1;
    this.#keep(aggregate, this.#usualBytes);
  }

  #rename(routeKey: string, id: string): void {
    const other = this.#renamed.get(id) ?? this.get(id)?.routeKey;
    if (other !== undefined && other !== routeKey) throw twoKeys(id, other, routeKey);
    this.#renamed.set(id, routeKey);
  }

  #keep(aggregate: Aggregate, bytes: number): void {
    const hot = { aggregate, bytes, changes: 0, measureAt: 1, isRecent: false };
    this.#hot.set(aggregate.index, hot);
    this.#hotBytes += bytes;
    if (this.#hotBytes > this.#hotLimit) this.#makeRoom(hot);
  }

  /** Who was asked for since the last time gets a second chance. */
  #makeRoom(youngest: Hot | null): void {
    for (const hot of this.#hot.values()) {
      if (this.#hotBytes <= this.#hotLimit * LEFT_AFTER_MAKING_ROOM) break;
      if (hot === youngest) continue;
      this.#hot.delete(hot.aggregate.index);
      if (hot.isRecent) {
        hot.isRecent = false;
        this.#hot.set(hot.aggregate.index, hot);
      } else {
        this.#usualBytes = this.#shelve(hot.aggregate);
        this.#hotBytes -= hot.bytes;
      }
    }
  }

  /** Returns its size. */
  #shelve(aggregate: Aggregate): number {
    const packed = pack(aggregate);
    this.#records.put(aggregate.index, packed);
    this.shelved += 1;
    return packed.length + FIXED_BYTES;
  }

  #read(index: number): { aggregate: Aggregate; bytes: number } | undefined {
    const packed = this.#records.get(index);
    return packed && { aggregate: unpack(index, packed, this.#domain), bytes: packed.length + FIXED_BYTES };
  }

  /** Takes nobody's place in memory. */
  #look(index: number): Aggregate | undefined {
    return this.#hot.get(index)?.aggregate ?? this.#read(index)?.aggregate;
  }

  *#flagged(flags: Uint8Array): Generator<Aggregate> {
    for (let index = flags.indexOf(1); index !== -1; index = flags.indexOf(1, index + 1)) {
      const aggregate = this.#look(index);
      if (aggregate) yield aggregate;
    }
  }
}

function pack({ routeKey, id, partition, state, key, ...at }: Aggregate): Uint8Array {
  const { events, lastSeq, appliedUpToSeq, lastCid, lastEnvelopeSequence, parked } = at;
  const place: Row = [
    routeKey,
    id,
    partition,
    state,
    events,
    lastSeq,
    appliedUpToSeq,
    lastCid,
    lastEnvelopeSequence,
    parked,
  ];
  return packChunk(place, () => assertPackable(state, key));
}

/** What `pack` made. */
function unpack(index: number, packed: Uint8Array, domain: string): Aggregate {
  const [routeKey, id, partition, state, events, lastSeq, ...rest] = unpackChunk(packed) as Row;
  const [appliedUpToSeq, lastCid, lastEnvelopeSequence, parked] = rest;
  const aggregate = newAggregate(index, { routeKey, id, key: entryKey(domain, id), partition });
  const at = { state, events, lastSeq, appliedUpToSeq, lastCid, lastEnvelopeSequence, parked };
  return Object.assign(aggregate, at);
}

function isKey(routeKey: string, bytes: Uint8Array, at: number, end: number): boolean {
  return isSame(routeKey, bytes, at, end) || Buffer.from(routeKey).equals(bytes.subarray(at, end));
}

function grown(flags: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(flags.length * 2);
  larger.set(flags);
  return larger;
}
