import { hash } from "node:crypto";

const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);

/** A key of a bucket and what its value hashes to. */
export interface KeyHash {
  readonly key: string;
  /** Of the value's bytes, lower-case hex. */
  readonly sha256: string;
}

/** In the order of UTF-16 code units, as JavaScript compares texts everywhere. */
export function byKey(a: { readonly key: string }, b: { readonly key: string }): number {
  return a.key < b.key ? -1 : Number(a.key > b.key);
}

/**
 * The root of a Merkle tree of the shape that RFC 6962 gives it, as lower-case hex. A leaf is
 * SHA-256(0x00 || uint32be(bytes of the key) || key in UTF-8 || the value's hash), a node SHA-256(0x01 || left || right);
 * of a list of nothing it is SHA-256 of nothing. `entries` in the order of their keys: another order gives another root.
 */
export function merkleRoot(entries: Iterable<KeyHash>): string {
  // Complete subtrees from left to right, each smaller than the one before: a root needs no more of the list at once.
  const peaks: { readonly height: number; readonly hash: Buffer }[] = [];
  for (const entry of entries) {
    let peak = { height: 0, hash: leafHash(entry) };
    for (let left = peaks.at(-1); left?.height === peak.height; left = peaks.at(-1)) {
      peak = { height: peak.height + 1, hash: nodeHash(left.hash, peak.hash) };
      peaks.pop();
    }
    peaks.push(peak);
  }
  const hashes = peaks.map((peak) => peak.hash);
  if (hashes.length === 0) return hash("sha256", "");
  return hashes.reduceRight((right, left) => nodeHash(left, right)).toString("hex");
}

function leafHash({ key, sha256 }: KeyHash): Buffer {
  const name = Buffer.from(key);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(name.length);
  return hash("sha256", Buffer.concat([LEAF, length, name, Buffer.from(sha256, "hex")]), "buffer");
}

function nodeHash(left: Buffer, right: Buffer): Buffer {
  return hash("sha256", Buffer.concat([NODE, left, right]), "buffer");
}
