/** A megabyte: a larger table misses the cache at every event. */
const SLOTS = 2 ** 17;

/**
 * Notices event ids seen before, in bounded memory: a table of 64-bit fingerprints where a newer id takes the place of an
 * older one with the same slot. Repeats within tens of thousands of events are found, which is how producers repeat.
 */
export class RepeatedIds {
  /** Both halves of a fingerprint side by side, so that a look touches one cache line. */
  readonly #fingerprints = new Int32Array(SLOTS * 2);

  /** True where `id` was seen not long ago; remembers it. */
  seen(id: string): boolean {
    let high = 0x811c9dc5;
    let low = 0x9747b28c;
    for (let i = 0; i < id.length; i++) {
      const code = id.charCodeAt(i);
      high = Math.imul(high ^ code, 0x01000193);
      low = Math.imul(low + code, 0x5bd1e995) ^ (low >>> 15);
    }
    const at = ((high ^ (high >>> 15)) & (SLOTS - 1)) * 2;
    const fingerprints = this.#fingerprints;
    if (fingerprints[at] === high && fingerprints[at + 1] === low) return true;
    fingerprints[at] = high;
    fingerprints[at + 1] = low;
    return false;
  }
}
