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

/** The digest of one partition's entries, which come by key: docs/certificate.md has the definition. */
export class EntriesChain {
  readonly #hash = createHash("sha256");
  #entries = 0;

  add({ key, sha256, lastSeq, events }: DigestedEntry): void {
    const name = Buffer.from(key);
    const numbers = Buffer.alloc(4 + 8 + 4);
    numbers.writeUInt32BE(name.length, 0);
    numbers.writeBigUInt64BE(BigInt(lastSeq), 4);
    numbers.writeUInt32BE(events, 12);
    const value = Buffer.from(sha256, "hex");
    this.#hash.update(Buffer.concat([numbers.subarray(0, 4), name, value, numbers.subarray(4)]));
    this.#entries += 1;
  }

  end(): EntriesDigest {
    return { entries: this.#entries, sha256: this.#hash.digest("hex") };
  }
}
