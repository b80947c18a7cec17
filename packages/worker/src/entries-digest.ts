import { createHash, type Hash } from "node:crypto";
import type { Aggregate } from "./aggregate-table.ts";

export interface EntriesDigest {
  readonly entries: number;
  /** Hex. */
  readonly sha256: string;
}

/**
 * One digest for the entries of each of a unit's partitions, as docs/certificate.md defines it: an entry that is altered
 * afterwards, its provenance too, no longer fits it.
 */
export class EntriesDigests {
  readonly #hashes: Hash[];
  readonly #entries: number[];

  constructor(partitions: number) {
    this.#hashes = Array.from({ length: partitions }, () => createHash("sha256"));
    this.#entries = new Array<number>(partitions).fill(0);
  }

  /** In each partition in the order of keys. `sha256`: of the entry's value, hex. */
  add({ key, lastSeq, events, partition }: Aggregate, sha256: string): void {
    const name = Buffer.from(key);
    const record = Buffer.allocUnsafe(4 + name.length + 32 + 8 + 4);
    record.writeUInt32BE(name.length, 0);
    name.copy(record, 4);
    record.write(sha256, 4 + name.length, "hex");
    record.writeBigUInt64BE(BigInt(lastSeq), 36 + name.length);
    record.writeUInt32BE(events, 44 + name.length);
    this.#hashes[partition]?.update(record);
    this.#entries[partition] = (this.#entries[partition] ?? 0) + 1;
  }

  end(): EntriesDigest[] {
    return this.#hashes.map((hash, at) => ({ entries: this.#entries[at] ?? 0, sha256: hash.digest("hex") }));
  }
}
