import type { Plan, RunRecord } from "@cim-replay/core";
import { countKeys, deleteEntry, type EntryHead, type NatsClient, readHeads } from "@cim-replay/nats";

export interface Orphans {
  /** Entries of the domain that no event of the run accounts for. */
  readonly keys: readonly string[];
  readonly total: number;
  readonly pruned: number;
}

const NAMED = 10;

/**
 * Finds entries of the domain that this run did not write: leftovers of aggregates that no event accounts for. With
 * `prune` they are removed, each only at the revision that it had before the run.
 */
export async function findOrphans(
  client: NatsClient,
  run: RunRecord,
  plan: Plan,
  entriesOfRun: number,
): Promise<Orphans> {
  const none = { keys: [], total: 0, pruned: 0 };
  if (!isWhole(run, plan)) return none;
  const filter = `${plan.domain}.>`;
  // As many keys as the run wrote: they are the run's. The list is only read where there are more.
  if ((await countKeys(client, plan.target.bucket, filter)) === entriesOfRun) return none;
  const keys: string[] = [];
  let total = 0;
  let pruned = 0;
  for await (const batch of readHeads(client, plan.target.bucket, filter)) {
    for (const head of batch.filter((candidate) => isOrphan(candidate, run.id))) {
      total += 1;
      if (keys.length < NAMED) keys.push(head.key);
      if (run.settings.prune && head.revision <= plan.target.lastRevision) {
        pruned += (await deleteEntry(client, plan.target.bucket, head.key, head.revision)) ? 1 : 0;
      }
    }
  }
  return { keys, total, pruned };
}

/** Only a run over all events of the domain can say of an entry that no event accounts for it. */
function isWhole({ settings }: RunRecord, plan: Plan): boolean {
  if (settings.aggregateId !== null || settings.continueFromEntries) return false;
  if (settings.fromTimeMs !== null || settings.toTimeMs !== null) return false;
  return plan.range.fromSeq <= plan.stream.firstSeq && plan.range.toSeq >= plan.stream.lastSeq;
}

function isOrphan(head: EntryHead, runId: string): boolean {
  return !head.deleted && head.provenance?.run !== runId;
}
