import { entryKey, type Plan, type RunRecord, type UnitRecord } from "@cim-replay/core";
import { countKeys, deleteEntry, type EntryHead, type NatsClient, QuarantineStore, readHeads } from "@cim-replay/nats";

export interface Orphans {
  /** Entries of the domain that no event of the run accounts for; the first few of them. */
  readonly keys: readonly string[];
  readonly total: number;
  readonly pruned: number;
  /** Entries that the run did not write because every event of their aggregate was skipped: never removed. */
  readonly spared: number;
  /** Entries whose events have all gone from the front of the stream, by what they say of themselves: never removed. */
  readonly expired: number;
  /** Why `prune` removed nothing, in words; null where it was free to. */
  readonly hindrance: string | null;
}

export const NO_ORPHANS: Orphans = { keys: [], total: 0, pruned: 0, spared: 0, expired: 0, hindrance: null };

const NAMED = 10;

/**
 * Finds entries of the domain that this run did not write: leftovers of aggregates that no event accounts for. With
 * `prune` they are removed, each only at the revision that it had before the run. A skipped event accounts for its
 * aggregate's entry as well as any other; where nobody can tell whose it was, nothing is removed. Throws the reason of
 * `signal` as soon as that aborts, and removes nothing after it.
 */
export async function findOrphans(
  client: NatsClient,
  run: RunRecord,
  plan: Plan,
  units: readonly UnitRecord[],
  signal: AbortSignal,
): Promise<Orphans> {
  if (!knowsEveryAggregate(run, plan)) return NO_ORPHANS;
  const { bucket, lastRevision } = plan.target;
  const filter = `${plan.domain}.>`;
  // As many keys as the run wrote: they are the run's. The list is only read where there are more.
  if ((await countKeys(client, bucket, filter)) === entriesOf(units)) return NO_ORPHANS;
  const skipped = await skippedOf(client, run, units);
  const keys: string[] = [];
  let total = 0;
  let pruned = 0;
  let spared = 0;
  let expired = 0;
  for await (const batch of readHeads(client, bucket, filter)) {
    signal.throwIfAborted();
    for (const head of batch.filter((candidate) => isNotOf(run.id, candidate))) {
      signal.throwIfAborted();
      if (skipped.keys.has(head.key)) {
        spared += 1;
        continue;
      }
      if (head.provenance !== null && head.provenance.lastSeq < plan.stream.firstSeq) {
        expired += 1;
        continue;
      }
      total += 1;
      if (keys.length < NAMED) keys.push(head.key);
      if (run.settings.prune && skipped.hindrance === null && head.revision <= lastRevision) {
        pruned += (await deleteEntry(client, bucket, head.key, head.revision)) ? 1 : 0;
      }
    }
  }
  return { keys, total, pruned, spared, expired, hindrance: skipped.hindrance };
}

/**
 * Only a run over the domain's events from the first one on can say of an entry that no event accounts for it. Where it ends
 * before the stream does, such an entry may belong to an aggregate that began later: that is no leftover, unless `prune`
 * asks for the state at that end and nothing else.
 */
function knowsEveryAggregate({ settings }: RunRecord, plan: Plan): boolean {
  if (settings.aggregateId !== null || settings.continueFromEntries || settings.fromTimeMs !== null) return false;
  if (settings.filter !== null) return false;
  if (plan.range.fromSeq > plan.stream.firstSeq) return false;
  return settings.prune || (settings.toTimeMs === null && plan.range.toSeq >= plan.stream.lastSeq);
}

function entriesOf(units: readonly UnitRecord[]): number {
  return units.reduce((sum, { entries }) => sum + entries.written + entries.unchanged, 0);
}

function isNotOf(runId: string, head: EntryHead): boolean {
  return !head.deleted && head.provenance?.run !== runId;
}

/** Keys of the aggregates whose events were skipped, as the quarantine names them. */
async function skippedOf(
  client: NatsClient,
  run: RunRecord,
  units: readonly UnitRecord[],
): Promise<{ keys: ReadonlySet<string>; hindrance: string | null }> {
  const keys = new Set<string>();
  const skipped = units.reduce((sum, { counts }) => sum + counts.quarantined, 0);
  if (skipped === 0) return { keys, hindrance: null };
  const quarantine = await QuarantineStore.open(client, { create: false });
  let kept = 0;
  let nameless = 0;
  for await (const { aggregateId } of quarantine?.list(run.id, run.settings.target) ?? []) {
    kept += 1;
    if (aggregateId === null) nameless += 1;
    else keys.add(entryKey(run.settings.domain, aggregateId));
  }
  if (kept < skipped) return { keys, hindrance: `the quarantine holds ${kept} of ${skipped} skipped events` };
  return { keys, hindrance: nameless > 0 ? `${nameless} skipped events name no aggregate` : null };
}
