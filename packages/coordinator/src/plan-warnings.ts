import type { SequenceRange } from "@cim-replay/core";
import type { BucketFacts, StreamFacts } from "@cim-replay/nats";
import type { Calibration } from "./calibrate.ts";

/** What makes a full replay of this stream less than full, and what may go wrong with the target. */
export function planWarnings(options: {
  domain: string;
  stream: StreamFacts;
  range: SequenceRange;
  deleted: number;
  /** Null: it will be made. */
  buckets: readonly (BucketFacts | null)[];
  bytes: number;
  calibration: Pick<Calibration, "sampled" | "timesApart">;
  tooManySubjects: number | null;
}): string[] {
  const { stream, buckets, calibration } = options;
  const { limits } = stream;
  const warnings: string[] = [];
  if (stream.firstSeq > 1 && options.range.fromSeq === stream.firstSeq) {
    warnings.push(
      `${stream.name} begins at sequence ${stream.firstSeq}: what came before is gone and cannot be replayed.`,
    );
  }
  if (stream.unfinishedRestore !== null) {
    warnings.push(
      `${stream.name} is half restored, so events are missing. Finish that first: \`${stream.unfinishedRestore}\`.`,
    );
  }
  if (options.deleted > 0) warnings.push(`${options.deleted} messages within the range were deleted before this run.`);
  const limited = [
    limits.maxMsgsPerSubject > 0 && `max_msgs_per_subject ${limits.maxMsgsPerSubject}`,
    limits.maxAgeMs > 0 && `max_age ${Math.round(limits.maxAgeMs / 1000)} s`,
    limits.maxMsgs > 0 && `max_msgs ${limits.maxMsgs}`,
    limits.maxBytes > 0 && `max_bytes ${limits.maxBytes}`,
  ].filter((limit) => limit !== false);
  if (limited.length > 0) {
    warnings.push(`${stream.name} drops history by itself (${limited.join(", ")}): older events may be missing.`);
  }
  for (const bucket of buckets) {
    if (!bucket || bucket.maxBytes <= 0 || bucket.bytes + options.bytes <= bucket.maxBytes) continue;
    warnings.push(`Bucket ${bucket.bucket} may fill up: it holds ${bucket.bytes} of at most ${bucket.maxBytes} bytes.`);
  }
  for (const bucket of buckets) {
    if (!bucket || bucket.unfinishedRestore === null) continue;
    warnings.push(
      `Bucket ${bucket.bucket} is half restored: what this run does not write may be of another time. Finish that first: \`${bucket.unfinishedRestore}\`.`,
    );
  }
  if (options.tooManySubjects !== null) {
    warnings.push(
      `${stream.name} has ${options.tooManySubjects} subjects of ${options.domain}, too many to count its aggregates beforehand: ` +
        "partitions are cut by hash, and counts are proved by reading (--certify content).",
    );
  }
  if (calibration.timesApart > 0) {
    warnings.push(
      `Of ${calibration.sampled} sampled events, ${calibration.timesApart} fall on another side of the requested times by the server's clock ` +
        "than by their own; --time-basis chooses which counts.",
    );
  }
  return warnings;
}
