const FIRST_SLOTS = 4_096;
export const NOWHERE = -1;

/**
 * From the hashes of keys to positions: eight bytes a slot, at most half of them in use, and no keys, so that whoever
 * asks has to look whether it is the right one. Open addressing.
 */
export class PositionIndex {
  #hashes = new Int32Array(FIRST_SLOTS);
  /** One more than the position; 0: a free slot. */
  #positions = new Int32Array(FIRST_SLOTS);
  #size = 0;

  add(hash: number, position: number): void {
    if (++this.#size * 2 > this.#hashes.length) this.#grow();
    this.#put(hash, position + 1);
  }

  /** The first slot with this hash, or, after `slot`, the next; NOWHERE when there are no more. */
  slotOf(hash: number, after = NOWHERE): number {
    const mask = this.#hashes.length - 1;
    let slot = after === NOWHERE ? spread(hash) & mask : (after + 1) & mask;
    for (; this.#positions[slot] !== 0; slot = (slot + 1) & mask) if (this.#hashes[slot] === hash) return slot;
    return NOWHERE;
  }

  at(slot: number): number {
    return (this.#positions[slot] ?? 0) - 1;
  }

  #put(hash: number, stored: number): void {
    const mask = this.#hashes.length - 1;
    let slot = spread(hash) & mask;
    while (this.#positions[slot] !== 0) slot = (slot + 1) & mask;
    this.#positions[slot] = stored;
    this.#hashes[slot] = hash;
  }

  #grow(): void {
    const [hashes, positions] = [this.#hashes, this.#positions];
    this.#hashes = new Int32Array(hashes.length * 2);
    this.#positions = new Int32Array(hashes.length * 2);
    for (let slot = 0; slot < hashes.length; slot++) {
      const stored = positions[slot] ?? 0;
      if (stored !== 0) this.#put(hashes[slot] ?? 0, stored);
    }
  }
}

/** Brings the upper bits down, where the mask looks. */
function spread(hash: number): number {
  return hash ^ (hash >>> 15);
}
