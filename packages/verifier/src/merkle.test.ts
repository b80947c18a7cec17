import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type KeyHash, merkleRoot } from "./merkle.ts";

const sha = (...parts: Buffer[]) => createHash("sha256").update(Buffer.concat(parts)).digest();
const entriesOf = (count: number): KeyHash[] =>
  Array.from({ length: count }, (_, i) => ({ key: `graph.ä${i}`, sha256: sha(Buffer.from(`${i}`)).toString("hex") }));

/** The definition of RFC 6962, word for word: split at the largest power of two that is smaller than the list. */
function rootByDefinition(entries: readonly KeyHash[]): Buffer {
  const [first] = entries;
  if (first === undefined) return sha();
  if (entries.length === 1) {
    const key = Buffer.from(first.key);
    const length = Buffer.from([key.length >>> 24, key.length >>> 16, key.length >>> 8, key.length]);
    return sha(Buffer.of(0), length, key, Buffer.from(first.sha256, "hex"));
  }
  let split = 1;
  while (split * 2 < entries.length) split *= 2;
  return sha(Buffer.of(1), rootByDefinition(entries.slice(0, split)), rootByDefinition(entries.slice(split)));
}

describe("a Merkle root", () => {
  test("is that of the definition, for every length of list", () => {
    for (let count = 0; count <= 130; count++) {
      const entries = entriesOf(count);
      expect(merkleRoot(entries)).toBe(rootByDefinition(entries).toString("hex"));
    }
  });

  test("of nothing is the hash of nothing, of one entry the hash of its leaf", () => {
    expect(merkleRoot([])).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const leaf = `00000000016b${"ab".repeat(32)}`;
    expect(merkleRoot([{ key: "k", sha256: "ab".repeat(32) }])).toBe(sha(Buffer.from(leaf, "hex")).toString("hex"));
  });

  test("changes with every key, hash, order, and length", () => {
    const entries = entriesOf(9);
    const roots = new Set([merkleRoot(entries), merkleRoot(entries.toReversed()), merkleRoot(entries.slice(1))]);
    for (const [i, { key, sha256 }] of entries.entries()) {
      roots.add(merkleRoot(entries.with(i, { key: `${key}x`, sha256 })));
      roots.add(merkleRoot(entries.with(i, { key, sha256: sha256.replace(/.$/, (c) => (c === "0" ? "1" : "0")) })));
    }
    expect(roots.size).toBe(3 + 2 * entries.length);
  });

  test("keeps what is a node apart from what is a leaf", () => {
    const [left, right] = entriesOf(2) as [KeyHash, KeyHash];
    const node = merkleRoot([left, right]);
    expect(merkleRoot([{ key: "", sha256: node }])).not.toBe(node);
  });
});
