import type { Aggregate } from "./aggregate-table.ts";

const FIRST_SLOTS = 1_024;
const LAST_ASCII = 0x7f;

/**
 * Finds aggregates by the bytes of their routing key as they lie in a subject: no text is made of them, and nothing is
 * allocated. Open addressing, at most half full. Only keys in ASCII are held; whoever misses here asks by text.
 */
export class KeyIndex {
  #aggregates: (Aggregate | undefined)[] = new Array<Aggregate | undefined>(FIRST_SLOTS);
  #hashes = new Int32Array(FIRST_SLOTS);
  #size = 0;

  find(bytes: Uint8Array, at: number, end: number): Aggregate | undefined {
    let hash = SEED;
    for (let i = at; i < end; i++) hash = mixed(hash, bytes[i] as number);
    const mask = this.#hashes.length - 1;
    for (let slot = spread(hash) & mask; ; slot = (slot + 1) & mask) {
      const aggregate = this.#aggregates[slot];
      if (aggregate === undefined) return undefined;
      if (this.#hashes[slot] === hash && isSame(aggregate.routeKey, bytes, at, end)) return aggregate;
    }
  }

  add(aggregate: Aggregate): void {
    const { routeKey } = aggregate;
    let hash = SEED;
    for (let i = 0; i < routeKey.length; i++) {
      const code = routeKey.charCodeAt(i);
      if (code > LAST_ASCII) return;
      hash = mixed(hash, code);
    }
    if (++this.#size * 2 > this.#hashes.length) this.#grow();
    this.#put(hash, aggregate);
  }

  #put(hash: number, aggregate: Aggregate): void {
    const mask = this.#hashes.length - 1;
    let slot = spread(hash) & mask;
    while (this.#aggregates[slot] !== undefined) slot = (slot + 1) & mask;
    this.#aggregates[slot] = aggregate;
    this.#hashes[slot] = hash;
  }

  #grow(): void {
    const aggregates = this.#aggregates;
    const hashes = this.#hashes;
    this.#aggregates = new Array<Aggregate | undefined>(aggregates.length * 2);
    this.#hashes = new Int32Array(hashes.length * 2);
    for (const [slot, aggregate] of aggregates.entries()) {
      if (aggregate) this.#put(hashes[slot] ?? 0, aggregate);
    }
  }
}

/** FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
const SEED = 0x811c9dc5 | 0;

function mixed(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

/** Brings the upper bits down, where the mask looks. */
function spread(hash: number): number {
  return hash ^ (hash >>> 15);
}

function isSame(key: string, bytes: Uint8Array, at: number, end: number): boolean {
  if (key.length !== end - at) return false;
  for (let i = 0; i < key.length; i++) if (key.charCodeAt(i) !== bytes[at + i]) return false;
  return true;
}
