/** The bucket that `--target projection` means. */
export const PROJECTIONS_BUCKET = "CIM_PROJECTIONS";

export function bucketOf(target: string): string {
  return target === "projection" ? PROJECTIONS_BUCKET : target;
}

/**
 * `./totals.ts=CIM_TOTALS`: a projection with its bucket; `bucket` is null where none is named. A bucket's name holds no dot,
 * a file's always one: what stands behind the last `=` of a path is no bucket.
 */
export function splitProjection(text: string): { named: string; bucket: string | null } {
  const [, named, bucket] = /^(.+)=([\w-]+)$/.exec(text) ?? [];
  return named === undefined || bucket === undefined
    ? { named: text, bucket: null }
    : { named, bucket: bucketOf(bucket) };
}
