/** 32-bit hash of a routing key (FNV-1a over UTF-16 code units, then murmur's finaliser). Pinned: plans hold its ranges. */
export function keyHash(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) {
    hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export function hashBound(hash: number): string {
  return hash.toString(16).padStart(8, "0");
}
