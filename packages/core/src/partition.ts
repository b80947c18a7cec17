import { hashBound, keyHash } from "./key-hash.ts";
import type { Partition, Plan } from "./plan.ts";

/** Events of one routing key, as the subject index counts them; `min < max` where a live writer was at work meanwhile. */
export interface KeyCount {
  readonly minEvents: number;
  readonly maxEvents: number;
}

interface Weighted {
  /** Inclusive lower bound of this piece in the key space. */
  readonly bound: string;
  readonly minEvents: number;
  readonly maxEvents: number;
  readonly aggregates: number;
}

/** Sorting more keys than this costs more than a finer balance gains. */
const MAX_KEYS_BY_ID = 100_000;
const HASH_BUCKETS = 4096;

/**
 * Cuts the key space into at most `parallel` ranges whose largest is as small as contiguous ranges allow: a hot aggregate
 * ends up alone where nothing fits beside it. The ranges tile the key space, keys without events included.
 */
export function partitionKeys(
  counts: ReadonlyMap<string, KeyCount>,
  parallel: number,
): Pick<Plan, "partitionBy" | "partitions"> {
  if (counts.size > MAX_KEYS_BY_ID) {
    return { partitionBy: "hash", partitions: cut(weighHashBuckets(counts), parallel) };
  }
  return { partitionBy: "id", partitions: cut(weighKeys(counts), parallel) };
}

/** Equal ranges of the hash, for streams whose subjects do not hold the id: nothing is known of the counts. */
export function partitionHashesEvenly(parallel: number): Pick<Plan, "partitionBy" | "partitions"> {
  const bounds = Array.from({ length: parallel }, (_, i) => hashBound(Math.floor((i * 2 ** 32) / parallel)));
  const partitions = bounds.map((bound, index) => ({
    index,
    fromKey: index === 0 ? null : bound,
    toKey: bounds[index + 1] ?? null,
    expected: null,
  }));
  return { partitionBy: "hash", partitions };
}

/** The one partition of a run for a single aggregate: no other key lies in it. */
export function partitionOfOne(key: string, count: KeyCount | null): Pick<Plan, "partitionBy" | "partitions"> {
  const expected = count && { minEvents: count.minEvents, maxEvents: count.maxEvents, aggregates: 1 };
  return { partitionBy: "id", partitions: [{ index: 0, fromKey: key, toKey: `${key}\u0000`, expected }] };
}

/** Finds a key's partition by index; -1 where it lies in none. Built once a unit, asked once an aggregate. */
export function partitionRouter(plan: Pick<Plan, "partitionBy" | "partitions">): (routeKey: string) => number {
  const { partitions } = plan;
  const byHash = plan.partitionBy === "hash";
  return (routeKey) => {
    const key = byHash ? hashBound(keyHash(routeKey)) : routeKey;
    let low = 0;
    let high = partitions.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const partition = partitions[middle];
      if (!partition) break;
      if (partition.fromKey !== null && key < partition.fromKey) high = middle - 1;
      else if (partition.toKey !== null && key >= partition.toKey) low = middle + 1;
      else return partition.index;
    }
    return -1;
  };
}

function weighKeys(counts: ReadonlyMap<string, KeyCount>): Weighted[] {
  const keys = [...counts.keys()].sort();
  return keys.map((key) => {
    const { minEvents = 0, maxEvents = 0 } = counts.get(key) ?? {};
    return { bound: key, minEvents, maxEvents, aggregates: 1 };
  });
}

function weighHashBuckets(counts: ReadonlyMap<string, KeyCount>): Weighted[] {
  const buckets = Array.from({ length: HASH_BUCKETS }, (_, i) => ({
    bound: hashBound(i * (2 ** 32 / HASH_BUCKETS)),
    minEvents: 0,
    maxEvents: 0,
    aggregates: 0,
  }));
  for (const [key, count] of counts) {
    const bucket = buckets[keyHash(key) >>> 20];
    if (!bucket) continue;
    bucket.minEvents += count.minEvents;
    bucket.maxEvents += count.maxEvents;
    bucket.aggregates += 1;
  }
  return buckets;
}

function cut(pieces: readonly Weighted[], parallel: number): Partition[] {
  const groups = groupUnder(pieces, smallestLargest(pieces, parallel));
  return groups.map((group, index) => ({
    index,
    fromKey: index === 0 ? null : (group[0]?.bound ?? null),
    toKey: groups[index + 1]?.[0]?.bound ?? null,
    expected: {
      minEvents: sum(group, (piece) => piece.minEvents),
      maxEvents: sum(group, (piece) => piece.maxEvents),
      aggregates: sum(group, (piece) => piece.aggregates),
    },
  }));
}

/** The smallest bound under which greedy grouping needs no more than `parallel` groups, by bisection. */
function smallestLargest(pieces: readonly Weighted[], parallel: number): number {
  let low = pieces.reduce((most, piece) => Math.max(most, piece.maxEvents), 0);
  let high = sum(pieces, (piece) => piece.maxEvents);
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (countGroups(pieces, middle) <= parallel) high = middle;
    else low = middle + 1;
  }
  return high;
}

function countGroups(pieces: readonly Weighted[], most: number): number {
  let groups = 1;
  let load = 0;
  for (const piece of pieces) {
    if (load > 0 && load + piece.maxEvents > most) {
      groups += 1;
      load = 0;
    }
    load += piece.maxEvents;
  }
  return groups;
}

function groupUnder(pieces: readonly Weighted[], most: number): Weighted[][] {
  const groups: Weighted[][] = [[]];
  let load = 0;
  for (const piece of pieces) {
    if (load > 0 && load + piece.maxEvents > most) {
      groups.push([]);
      load = 0;
    }
    groups.at(-1)?.push(piece);
    load += piece.maxEvents;
  }
  return groups;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
