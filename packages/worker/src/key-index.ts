const FIRST_SLOTS = 1_024;
const LAST_ASCII = 0x7f;

/**
 * Finds aggregates by the bytes of their routing key as they lie in a subject: no text is made of them, and nothing is
 * allocated. Open addressing, at most half full. Only keys in ASCII are held; whoever misses here asks by text.
 */
export class KeyIndex<Keyed extends { readonly routeKey: string }> {
  #items: (Keyed | undefined)[] = new Array<Keyed | undefined>(FIRST_SLOTS);
  #hashes = new Int32Array(FIRST_SLOTS);
  #size = 0;

  find(bytes: Uint8Array, at: number, end: number): Keyed | undefined {
    const hash = hashOf(bytes, at, end);
    const mask = this.#hashes.length - 1;
    for (let slot = spread(hash) & mask; ; slot = (slot + 1) & mask) {
      const item = this.#items[slot];
      if (item === undefined) return undefined;
      if (this.#hashes[slot] === hash && isSame(item.routeKey, bytes, at, end)) return item;
    }
  }

  add(item: Keyed): void {
    const { routeKey } = item;
    let hash = SEED;
    for (let i = 0; i < routeKey.length; i++) {
      const code = routeKey.charCodeAt(i);
      if (code > LAST_ASCII) return;
      hash = mixed(hash, code);
    }
    if (++this.#size * 2 > this.#hashes.length) this.#grow();
    this.#put(hash, item);
  }

  #put(hash: number, item: Keyed): void {
    const mask = this.#hashes.length - 1;
    let slot = spread(hash) & mask;
    while (this.#items[slot] !== undefined) slot = (slot + 1) & mask;
    this.#items[slot] = item;
    this.#hashes[slot] = hash;
  }

  #grow(): void {
    const items = this.#items;
    const hashes = this.#hashes;
    this.#items = new Array<Keyed | undefined>(items.length * 2);
    this.#hashes = new Int32Array(hashes.length * 2);
    for (const [slot, item] of items.entries()) {
      if (item) this.#put(hashes[slot] ?? 0, item);
    }
  }
}

export function hashOf(bytes: Uint8Array, at: number, end: number): number {
  let hash = SEED;
  for (let i = at; i < end; i++) hash = mixed(hash, bytes[i] as number);
  return hash;
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

export function isSame(key: string, bytes: Uint8Array, at: number, end: number): boolean {
  if (key.length !== end - at) return false;
  for (let i = 0; i < key.length; i++) if (key.charCodeAt(i) !== bytes[at + i]) return false;
  return true;
}
