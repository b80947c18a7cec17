import type { Ledger, NatsClient } from "@cim-replay/nats";
import { lastCompletedRun, type RunEvidence } from "@cim-replay/verifier";
import { recordedRestores } from "../archives/last-restore.ts";

interface LastEvidence {
  /** Whose entries the bucket should hold; null: nobody can say. */
  readonly run: RunEvidence | null;
  readonly wasRestored: boolean;
}

/**
 * The last whole run of a domain into a bucket. Where an archive was restored since, what was then the last one: the bucket holds
 * again what it held when the archive was taken, which may itself have been restored.
 */
export async function lastEvidence(
  client: NatsClient,
  ledger: Ledger | null,
  { domain, bucket }: { domain: string; bucket: string },
): Promise<LastEvidence> {
  if (!ledger) return { run: null, wasRestored: false };
  const restores = await recordedRestores(client, domain, bucket);
  let run = await lastCompletedRun(ledger, domain, bucket);
  let wasRestored = false;
  let beforeMs = Number.POSITIVE_INFINITY;
  for (const { atMs, takenAtMs, from, aggregateId } of restores) {
    if (atMs > beforeMs) continue;
    if (run && Date.parse(run.run.endedAt ?? "") >= atMs) break;
    wasRestored = true;
    if (aggregateId !== null) continue;
    if (from !== bucket) return { run: null, wasRestored };
    beforeMs = takenAtMs;
    run = await lastCompletedRun(ledger, domain, bucket, takenAtMs);
  }
  return { run, wasRestored };
}
