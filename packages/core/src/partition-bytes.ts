import { mixKeyHash, KEY_HASH_SEED, finishKeyHash } from "./key-hash.ts";
import type { Plan } from "./plan.ts";

const LAST_ASCII = 0x7f;

/** Where a routing key lies in the bytes of a subject. */
interface KeyPlace {
  readonly at: number;
  readonly end: number;
}

/**
 * As `partitionRouter`, of a key that lies in `bytes`, without making a text of it; undefined where the key is not ASCII,
 * so that only its text tells. Keeps nothing of what it saw, however many aggregates there are.
 */
export function partitionRouterOfBytes(
  plan: Pick<Plan, "partitionBy" | "partitions">,
): (bytes: Uint8Array, place: KeyPlace) => number | undefined {
  return plan.partitionBy === "hash" ? byHash(plan.partitions) : byKey(plan.partitions);
}

function byHash(partitions: Plan["partitions"]) {
  const from = partitions.map(({ fromKey }) => (fromKey === null ? 0 : Number.parseInt(fromKey, 16)));
  const to = partitions.map(({ toKey }) => (toKey === null ? 2 ** 32 : Number.parseInt(toKey, 16)));
  return (bytes: Uint8Array, { at, end }: KeyPlace) => {
    let hash = KEY_HASH_SEED;
    for (let i = at; i < end; i++) {
      const byte = bytes[i] as number;
      if (byte > LAST_ASCII) return undefined;
      hash = mixKeyHash(hash, byte);
    }
    const key = finishKeyHash(hash);
    return search(partitions, (middle) => {
      if (key < (from[middle] as number)) return -1;
      return key >= (to[middle] as number) ? 1 : 0;
    });
  };
}

function byKey(partitions: Plan["partitions"]) {
  return (bytes: Uint8Array, place: KeyPlace) => {
    for (let i = place.at; i < place.end; i++) if ((bytes[i] as number) > LAST_ASCII) return undefined;
    return search(partitions, (middle) => {
      const { fromKey, toKey } = partitions[middle] as Plan["partitions"][number];
      if (fromKey !== null && compare(bytes, place, fromKey) < 0) return -1;
      return toKey !== null && compare(bytes, place, toKey) >= 0 ? 1 : 0;
    });
  };
}

/** `side`: -1 where the key lies before a partition, 1 where behind it. */
function search(partitions: Plan["partitions"], side: (middle: number) => number): number {
  let low = 0;
  let high = partitions.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const where = side(middle);
    if (where === 0) return partitions[middle]?.index ?? -1;
    if (where < 0) high = middle - 1;
    else low = middle + 1;
  }
  return -1;
}

/** Texts are compared by UTF-16 code units, of which ASCII bytes are some. */
function compare(bytes: Uint8Array, { at, end }: KeyPlace, bound: string): number {
  const length = Math.min(end - at, bound.length);
  for (let i = 0; i < length; i++) {
    const difference = (bytes[at + i] as number) - bound.charCodeAt(i);
    if (difference !== 0) return difference;
  }
  return end - at - bound.length;
}
