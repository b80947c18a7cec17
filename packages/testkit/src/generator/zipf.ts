import type { Random } from "./random.ts";

/** Weights are whole numbers, so that their sums are exact and the same everywhere. */
const LARGEST_WEIGHT = 2 ** 30;

/** Picks an index below `count`; index k is picked in proportion to 1 / (k + 1)^skew. Skew 0 is uniform. */
export function zipfPicker(count: number, skew: number): (random: Random) => number {
  if (skew === 0) return (random) => random.below(count);
  const sums = new Float64Array(count);
  let total = 0;
  for (let k = 0; k < count; k++) {
    total += Math.max(1, Math.round(LARGEST_WEIGHT / (k + 1) ** skew));
    sums[k] = total;
  }
  return (random) => firstAbove(sums, random.below(total));
}

function firstAbove(sums: Float64Array, value: number): number {
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sums[middle] ?? 0) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
