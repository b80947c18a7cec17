import { type Plan, ReplayError } from "@cim-replay/core";
import { type BucketFacts, bucketFacts, lastMatchingSeq, type NatsClient } from "@cim-replay/nats";

export interface TargetLook {
  readonly bucket: string;
  readonly facts: BucketFacts | null;
  /** Last revision of any of the domain's entries. */
  readonly domainRevision: number;
}

export async function lookAtTarget(client: NatsClient, bucket: string, domain: string): Promise<TargetLook> {
  const facts = await bucketFacts(client, bucket);
  const domainRevision = facts ? await lastMatchingSeq(client, `KV_${bucket}`, `$KV.${bucket}.${domain}.>`) : null;
  return { bucket, facts, domainRevision: domainRevision ?? 0 };
}

/** Refuses a bucket that cannot hold the result, or that somebody else is writing to while the run is planned. */
export async function pinTarget(
  client: NatsClient,
  bucket: string,
  domain: string,
  before: TargetLook,
): Promise<Plan["target"]> {
  const { facts, domainRevision } = await lookAtTarget(client, bucket, domain);
  if (!facts) return { bucket, lastRevision: 0 };
  if (facts.ttlMs > 0) {
    throw new ReplayError(
      `Cannot rebuild into bucket ${bucket}: its entries expire after ${facts.ttlMs / 1000} s (TTL), so a rebuilt one would vanish. ` +
        "Remove the TTL, or name another --target.",
    );
  }
  if (domainRevision !== before.domainRevision) {
    throw new ReplayError(
      `Cannot rebuild ${domain} in bucket ${bucket}: somebody is writing its entries (revision ${domainRevision} came while the run was planned). ` +
        "Stop the service that projects this domain, or name another --target.",
    );
  }
  return { bucket, lastRevision: facts.lastRevision };
}
