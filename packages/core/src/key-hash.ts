export const KEY_HASH_SEED = 0x811c9dc5;

/** 32-bit hash of a routing key (FNV-1a over UTF-16 code units, then murmur's finaliser). Pinned: plans hold its ranges. */
export function keyHash(key: string): number {
  let hash = KEY_HASH_SEED;
  for (let i = 0; i < key.length; i++) hash = mixKeyHash(hash, key.charCodeAt(i));
  return finishKeyHash(hash);
}

export function mixKeyHash(hash: number, unit: number): number {
  return Math.imul(hash ^ unit, 0x01000193);
}

export function finishKeyHash(mixed: number): number {
  let hash = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export function hashBound(hash: number): string {
  return hash.toString(16).padStart(8, "0");
}
