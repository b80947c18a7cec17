import { createHash } from "node:crypto";

export interface EntriesDigest {
  readonly entries: number;
  /** Hex. */
  readonly sha256: string;
}

export interface DigestedEntry {
  readonly key: string;
  /** Of the value's bytes, hex. */
  readonly sha256: string;
  readonly lastSeq: number;
  readonly events: number;
}

/** The digest of one partition's entries, in any order: docs/certificate.md has the definition. */
export function digestEntries(entries: readonly DigestedEntry[]): EntriesDigest {
  const sorted = entries.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const hash = createHash("sha256");
  for (const { key, sha256, lastSeq, events } of sorted) {
    const name = Buffer.from(key);
    const numbers = Buffer.alloc(4 + 8 + 4);
    numbers.writeUInt32BE(name.length, 0);
    numbers.writeBigUInt64BE(BigInt(lastSeq), 4);
    numbers.writeUInt32BE(events, 12);
    const value = Buffer.from(sha256, "hex");
    hash.update(Buffer.concat([numbers.subarray(0, 4), name, value, numbers.subarray(4)]));
  }
  return { entries: sorted.length, sha256: hash.digest("hex") };
}
