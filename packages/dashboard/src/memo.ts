/** What was loaded stays good for a while, however many ask for it; one load at a time for each key, and few keys. */
export class Memo<Value> {
  readonly #maxAgeMs: number;
  readonly #mostKeys: number;
  readonly #loaded = new Map<string, { at: number; readonly value: Promise<Value>; isPending: boolean }>();

  constructor(maxAgeMs: number, mostKeys = 100) {
    this.#maxAgeMs = maxAgeMs;
    this.#mostKeys = mostKeys;
  }

  /** Younger than `maxAgeMs`, where somebody wants it fresher than usual. */
  get(key: string, load: () => Promise<Value>, maxAgeMs = this.#maxAgeMs): Promise<Value> {
    const known = this.#loaded.get(key);
    if (known && (known.isPending || performance.now() - known.at < maxAgeMs)) return known.value;
    this.#loaded.delete(key);
    const value = load();
    const loaded = { at: performance.now(), value, isPending: true };
    this.#loaded.set(key, loaded);
    value.then(
      () => {
        loaded.at = performance.now();
        loaded.isPending = false;
      },
      () => {
        // A failure is told to those who wait for it, and is nothing to keep.
        if (this.#loaded.get(key) === loaded) this.#loaded.delete(key);
      },
    );
    for (const oldest of this.#loaded.keys()) {
      if (this.#loaded.size <= this.#mostKeys) break;
      this.#loaded.delete(oldest);
    }
    return value;
  }
}
