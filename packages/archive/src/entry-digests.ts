import { hash } from "node:crypto";
import type { EntryRecord } from "./records.ts";

const DIGEST_BYTES = 32;

type Digested = Pick<EntryRecord, "value" | "provenance">;

/**
 * A SHA-256 for each entry's bytes and provenance, by key: the same for the same entry only. They lie in one buffer,
 * because the collector goes through a million texts again and again.
 */
export class EntryDigests {
  readonly #places = new Map<string, number>();
  #digests = Buffer.alloc(DIGEST_BYTES * 1024);

  get size(): number {
    return this.#places.size;
  }

  keys(): IterableIterator<string> {
    return this.#places.keys();
  }

  has(key: string): boolean {
    return this.#places.has(key);
  }

  /** From 0, in the order in which they were added; undefined where there is no such key. */
  placeOf(key: string): number | undefined {
    return this.#places.get(key);
  }

  /** False where the key is there already. */
  add(key: string, entry: Digested): boolean {
    const place = this.#places.size;
    if (this.#places.has(key)) return false;
    this.#places.set(key, place);
    const end = (place + 1) * DIGEST_BYTES;
    if (end > this.#digests.length) this.#digests = Buffer.concat([this.#digests, Buffer.alloc(this.#digests.length)]);
    this.#digests.write(digestOf(entry), place * DIGEST_BYTES, "latin1");
    return true;
  }

  /** Whether the entry at that place was exactly this one. */
  fits(place: number, entry: Digested): boolean {
    const at = place * DIGEST_BYTES;
    return this.#digests.toString("latin1", at, at + DIGEST_BYTES) === digestOf(entry);
  }
}

/**
 * Of one text, whose characters are the value's bytes: putting bytes together costs more than hashing them. What stands in
 * headers has no line ends, so nothing else gives the same text.
 */
function digestOf({ value, provenance }: Digested): string {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("latin1");
  if (provenance === null) return hash("sha256", `without\n${bytes}`, "binary");
  const { run, epoch, lastSeq, events, sha256 } = provenance;
  return hash("sha256", `with\n${run}\n${epoch}\n${lastSeq}\n${events}\n${sha256}\n${bytes}`, "binary");
}
