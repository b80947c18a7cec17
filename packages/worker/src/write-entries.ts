import { hash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import {
  type CompiledProjection,
  ConflictingWriterError,
  errorMessage,
  type Plan,
  ReplayError,
} from "@cim-replay/core";
import {
  bucketFacts,
  type EntryHead,
  EntryWriter,
  getEntry,
  type NatsClient,
  readHeads,
  type RefusedPut,
} from "@cim-replay/nats";
import type { Aggregate } from "./aggregate-table.ts";
import { EntriesDigests, type EntriesDigest } from "./entries-digest.ts";
import type { KeyedValues } from "./keyed-values.ts";
import type { Pace } from "./pace.ts";
import type { UnitClaim } from "./unit-claim.ts";
import type { WorkingSet } from "./working-set.ts";

interface Counts {
  written: number;
  /** Already there from an earlier attempt of this run, byte for byte. */
  unchanged: number;
  bytes: number;
}

export interface EntriesWritten extends Readonly<Counts> {
  /** By partition of the unit. */
  readonly digests: readonly EntriesDigest[];
}

interface WriteOptions {
  readonly client: NatsClient;
  readonly plan: Plan;
  readonly claim: UnitClaim;
  readonly projection: CompiledProjection;
  readonly working: WorkingSet;
  /** Which of its tables. */
  readonly at: number;
  readonly pace: Pace;
  readonly partitions: number;
  readonly signal: AbortSignal;
  readonly onWritten: (entries: Readonly<Counts>) => void;
}

interface Writing {
  readonly heads: KeyedValues<EntryHead>;
  readonly writer: EntryWriter;
  readonly entries: Counts;
  readonly digests: EntriesDigests;
}

const PUTS_BETWEEN_PROOFS = 1_000;
const PROOF_AT_LEAST_EVERY_MS = 100;

/**
 * Writes each complete aggregate's entry once. A write carries the revision that the entry had when the run was planned,
 * or the one that an older epoch of this run gave it: whoever else writes there is noticed, and nothing of theirs is lost.
 */
export async function writeEntries(options: WriteOptions): Promise<EntriesWritten> {
  const { client, plan, claim, partitions, working } = options;
  // Nothing was there, and nobody of this run was at these before: each unit reading all that the others wrote adds up.
  const isFirst = plan.target.lastRevision === 0 && claim.record.epoch === 1;
  const heads = isFirst ? working.map<EntryHead>() : await headsBefore(options);
  const bucket = await bucketFacts(client, plan.target.bucket);
  const writer = new EntryWriter(client, plan.target.bucket, bucket ? { maxValueSize: bucket.maxValueSize } : {});
  const entries: Counts = { written: 0, unchanged: 0, bytes: 0 };
  const digests = new EntriesDigests(partitions);
  try {
    await putAll(options, { heads, writer, entries, digests });
  } catch (error) {
    // What is on its way lands before the unit is given back: nobody who starts afterwards shall meet it.
    await writer.flush().catch(() => undefined);
    throw error;
  }
  const { refused } = await writer.flush();
  await claim.prove();
  await resolveRefused(client, plan, refused);
  options.onWritten(entries);
  return { ...entries, digests: digests.end() };
}

async function putAll(
  { plan, claim, projection, signal, onWritten, working, at, pace }: WriteOptions,
  { heads, writer, entries, digests }: Writing,
): Promise<void> {
  let untilProof = 0;
  let provedAt = performance.now();
  let pacedAt = 0;
  for (const aggregate of working.table(at).sorted()) {
    if (!isComplete(aggregate)) continue;
    if (untilProof-- === 0 || performance.now() - provedAt > PROOF_AT_LEAST_EVERY_MS) {
      untilProof = PUTS_BETWEEN_PROOFS;
      onWritten(entries);
      // Heartbeats and locks starve where the event loop does not turn, however slow `encode` is.
      await turn();
      await claim.prove();
      signal.throwIfAborted();
      working.watch(0);
      await pace.keepEntries(entries.written - pacedAt, signal);
      pacedAt = entries.written;
      provedAt = performance.now();
    }
    const value = Buffer.from(encode(projection, aggregate));
    const sha256 = hash("sha256", value);
    digests.add(aggregate, sha256);
    const head = heads.get(aggregate.key);
    if (isOurs(head, plan.runId, sha256, aggregate.lastSeq)) {
      entries.unchanged += 1;
      continue;
    }
    if (head && head.revision > plan.target.lastRevision) throw conflict(plan, aggregate.key, head);
    const provenance = {
      run: plan.runId,
      epoch: claim.record.epoch,
      lastSeq: aggregate.lastSeq,
      events: aggregate.events,
      sha256,
    };
    const room = writer.put(aggregate.key, value, provenance, head?.revision ?? 0);
    if (room) await room;
    entries.written += 1;
    entries.bytes += value.length;
  }
}

function encode(projection: CompiledProjection, aggregate: Aggregate): string {
  try {
    return projection.encode(aggregate.state);
  } catch (error) {
    throw new ReplayError(
      `Cannot write entry ${aggregate.key}: ${errorMessage(error)} Mend the projection, then \`event-replay --resume\`.`,
      { cause: error },
    );
  }
}

/** An aggregate whose entry this run writes. */
function isComplete({ events, parked }: Aggregate): boolean {
  return events > 0 && !parked;
}

/** What the target holds now of the aggregates; in a file, where memory has no room for a list of those, of the whole domain. */
async function headsBefore({ client, plan, working, at }: WriteOptions): Promise<KeyedValues<EntryHead>> {
  const heads = working.map<EntryHead>();
  const only = working.table(at).size === 1 ? working.table(at).at(0) : undefined;
  if (only) {
    const entry = await getEntry(client, plan.target.bucket, only.key);
    if (entry) heads.set(only.key, entry);
    return heads;
  }
  let wanted: ReadonlySet<string> | null = null;
  for await (const batch of readHeads(client, plan.target.bucket, `${plan.domain}.>`)) {
    wanted = working.isOnDisk ? null : (wanted ?? keysOf(working.table(at).all()));
    for (const head of batch) if (wanted === null || wanted.has(head.key)) heads.set(head.key, head);
    await working.relieve(0);
  }
  return heads;
}

function keysOf(aggregates: Iterable<Aggregate>): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const aggregate of aggregates) if (isComplete(aggregate)) keys.add(aggregate.key);
  return keys;
}

function isOurs(head: EntryHead | null | undefined, runId: string, sha256: string, lastSeq: number): boolean {
  const provenance = head?.provenance;
  return provenance?.run === runId && provenance.sha256 === sha256 && provenance.lastSeq === lastSeq;
}

/** An older epoch of this run, at its last gasp, may have written the same bytes first. Anybody else is a conflict. */
async function resolveRefused(client: NatsClient, plan: Plan, refused: readonly RefusedPut[]): Promise<void> {
  for (const { key, provenance } of refused) {
    const entry = await getEntry(client, plan.target.bucket, key);
    const isSame = entry?.provenance?.run === plan.runId && entry.provenance.sha256 === provenance.sha256;
    if (!isSame) throw conflict(plan, key, entry);
  }
}

function conflict(plan: Plan, key: string, head: EntryHead | null): ConflictingWriterError {
  if (head?.provenance?.run === plan.runId) {
    return new ConflictingWriterError(
      `Cannot write entry ${key} of ${plan.target.bucket}: another unit of run ${plan.runId} has written other bytes there, so two subject tokens name one aggregate. ` +
        "Put * in place of {aggregate_id} in the domain's subject template, so that ids come from the envelope.",
    );
  }
  const who = head?.provenance ? `run ${head.provenance.run}` : "a writer that is not cim-replay";
  return new ConflictingWriterError(
    `Cannot write entry ${key} of ${plan.target.bucket}: ${head ? `${who} wrote revision ${head.revision}` : "somebody removed it"} ` +
      `while run ${plan.runId} was rebuilding it. Stop the other writer, then start a new run.`,
  );
}
