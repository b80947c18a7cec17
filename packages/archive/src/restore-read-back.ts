import { ReplayError } from "@cim-replay/core";
import { type NatsClient, readEntries, readHeads } from "@cim-replay/nats";
import type { BucketEntry } from "./bucket-state.ts";
import type { EntryDigests } from "./entry-digests.ts";
import type { CheckedArchive } from "./read-archive.ts";

const NAMED = 5;

interface ReadBack {
  readonly bucket: string;
  readonly filters: readonly string[];
  /** May still be there, as it was. */
  readonly surplus: readonly (readonly [key: string, entry: BucketEntry])[];
}

/**
 * Keys whose entries are not as the archive has them, all values read again. Of a key that is written meanwhile, and so comes
 * twice, the last counts.
 */
export async function keysNotRestored(
  client: NatsClient,
  { digests }: CheckedArchive,
  at: ReadBack,
): Promise<readonly string[]> {
  const old = new Map(at.surplus);
  const found = new Found(digests);
  for (const filter of at.filters) {
    for await (const entries of readEntries(client, at.bucket, filter)) {
      for (const entry of entries) {
        const { key, revision } = entry;
        const place = digests.placeOf(key);
        if (place !== undefined) found.mark(place, digests.fits(place, entry));
        else found.markForeign(key, old.get(key)?.revision !== revision);
      }
    }
  }
  return found.wrong();
}

/** By the heads alone: the values were read back before the first removal. Throws ReplayError. */
export async function requireRemoved(
  client: NatsClient,
  { digests, path }: CheckedArchive,
  bucket: string,
  filters: readonly string[],
): Promise<void> {
  const found = new Found(digests);
  for (const filter of filters) {
    for await (const heads of readHeads(client, bucket, filter)) {
      for (const { key, deleted } of heads) {
        const place = digests.placeOf(key);
        if (place !== undefined) found.mark(place, !deleted);
        else found.markForeign(key, !deleted);
      }
    }
  }
  const wrong = found.wrong();
  if (wrong.length > 0) throw notRestored(path, bucket, wrong);
}

/** Which of an archive's entries were found sound, and which keys that it has not. */
class Found {
  readonly #digests: EntryDigests;
  readonly #sound: Uint8Array;
  readonly #foreign = new Set<string>();

  constructor(digests: EntryDigests) {
    this.#digests = digests;
    this.#sound = new Uint8Array(digests.size);
  }

  mark(place: number, isSound: boolean): void {
    this.#sound[place] = isSound ? 1 : 0;
  }

  markForeign(key: string, isForeign: boolean): void {
    if (isForeign) this.#foreign.add(key);
    else this.#foreign.delete(key);
  }

  wrong(): string[] {
    const unsound = this.#sound.includes(0)
      ? [...this.#digests.keys()].filter((_, place) => this.#sound[place] !== 1)
      : [];
    return [...unsound, ...this.#foreign];
  }
}

export function notRestored(path: string, bucket: string, keys: readonly string[]): ReplayError {
  return new ReplayError(
    `Cannot call bucket ${bucket} restored: read back, ${keys.length} entries are not as ${path} has them (${namesOf(keys)}). Stop whoever writes there, then restore again.`,
  );
}

/** The first few of them. */
export function namesOf(keys: readonly string[]): string {
  return keys.slice(0, NAMED).join(", ") + (keys.length > NAMED ? ", …" : "");
}
