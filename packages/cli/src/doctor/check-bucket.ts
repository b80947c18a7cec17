import { formatCount, formatDuration, formatSize } from "@cim-replay/core";
import {
  type BucketFacts,
  bucketFacts,
  bucketStream,
  LEDGER_BUCKET,
  type NatsClient,
  streamFacts,
} from "@cim-replay/nats";
import { type Finding, ok, orOk, problem, warning } from "./finding.ts";

const NEARLY_FULL = 0.8;
const SMALL_VALUE_BYTES = 64 * 1024;

/** What of a bucket's settings would keep it from holding a rebuilt projection. */
export async function checkBucket(client: NatsClient, bucket: string): Promise<readonly Finding[]> {
  const about = `bucket ${bucket}`;
  const facts = await bucketFacts(client, bucket);
  if (!facts) return [ok(about, "not there yet: the first run makes it")];
  const stream = await streamFacts(client, bucketStream(bucket));
  const inMemory = stream?.storage === "memory";
  const findings = [
    ...room(about, facts),
    ...(inMemory ? [warning(about, "it is in memory", "A restart of the server loses it: use file storage.")] : []),
    ...history(about, facts),
  ];
  return orOk(findings, about, `${formatSize(facts.bytes)}, ${formatCount(stream?.messages ?? 0)} entries, no limits`);
}

function room(about: string, { ttlMs, maxBytes, bytes, maxValueSize }: BucketFacts): Finding[] {
  const findings: Finding[] = [];
  if (ttlMs > 0) {
    const found = `entries expire after ${formatDuration(ttlMs)} (TTL)`;
    findings.push(problem(about, found, "No run writes there: remove the TTL, or name another --target."));
  }
  if (maxBytes > 0 && bytes >= maxBytes * NEARLY_FULL) {
    const found = `${formatSize(bytes)} of the ${formatSize(maxBytes)} that it may hold`;
    findings.push(warning(about, found, "A rebuild may not fit: raise its max bytes."));
  }
  if (maxValueSize > 0 && maxValueSize < SMALL_VALUE_BYTES) {
    const found = `values of ${formatSize(maxValueSize)} at most`;
    findings.push(warning(about, found, "A larger state fails the run: raise its max value size."));
  }
  return findings;
}

/** The ledger's own history is what it was made with. */
function history(about: string, { bucket, history: revisions }: BucketFacts): Finding[] {
  if (revisions === 1 || bucket === LEDGER_BUCKET) return [];
  const found = `it keeps ${revisions} revisions of each key`;
  return [warning(about, found, "A rebuild adds one of every key: reckon with the disk, or set history to 1.")];
}
