import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import {
  type CompiledProjection,
  ConflictingWriterError,
  errorMessage,
  type Plan,
  ReplayError,
} from "@cim-replay/core";
import { bucketFacts, type EntryHead, EntryWriter, getEntry, type NatsClient, readHeads } from "@cim-replay/nats";
import type { Aggregate } from "./aggregate-table.ts";
import type { UnitClaim } from "./unit-claim.ts";

export interface EntriesWritten {
  written: number;
  /** Already there from an earlier attempt of this run, byte for byte. */
  unchanged: number;
  bytes: number;
  /** Of the values of all complete entries. */
  readonly sha256ByKey: Map<string, string>;
}

interface WriteOptions {
  readonly client: NatsClient;
  readonly plan: Plan;
  readonly claim: UnitClaim;
  readonly projection: CompiledProjection;
  readonly aggregates: Iterable<Aggregate>;
  readonly signal: AbortSignal;
  readonly onWritten: (entries: EntriesWritten) => void;
}

interface Writing {
  readonly complete: readonly Aggregate[];
  readonly heads: ReadonlyMap<string, EntryHead>;
  readonly writer: EntryWriter;
  readonly entries: EntriesWritten;
}

const PUTS_BETWEEN_PROOFS = 1_000;
const PROOF_AT_LEAST_EVERY_MS = 100;

/**
 * Writes each complete aggregate's entry once. A write carries the revision that the entry had when the run was planned,
 * or the one that an older epoch of this run gave it: whoever else writes there is noticed, and nothing of theirs is lost.
 */
export async function writeEntries(options: WriteOptions): Promise<EntriesWritten> {
  const { client, plan, claim } = options;
  const complete = [...options.aggregates].filter((aggregate) => aggregate.events > 0 && !aggregate.parked);
  // Nothing was there, and nobody of this run was at these before: each unit reading all that the others wrote adds up.
  const isFirst = plan.target.lastRevision === 0 && claim.record.epoch === 1;
  const heads = isFirst ? new Map<string, EntryHead>() : await headsBefore(client, plan, complete);
  const bucket = await bucketFacts(client, plan.target.bucket);
  const writer = new EntryWriter(client, plan.target.bucket, bucket ? { maxValueSize: bucket.maxValueSize } : {});
  const entries: EntriesWritten = { written: 0, unchanged: 0, bytes: 0, sha256ByKey: new Map() };
  try {
    await putAll(options, { complete, heads, writer, entries });
  } catch (error) {
    // What is on its way lands before the unit is given back: nobody who starts afterwards shall meet it.
    await writer.flush().catch(() => undefined);
    throw error;
  }
  const { refused } = await writer.flush();
  await claim.prove();
  await resolveRefused(client, plan, refused, entries.sha256ByKey);
  options.onWritten(entries);
  return entries;
}

async function putAll(
  { plan, claim, projection, signal, onWritten }: WriteOptions,
  { complete, heads, writer, entries }: Writing,
): Promise<void> {
  let untilProof = 0;
  let provedAt = performance.now();
  for (const aggregate of complete) {
    if (untilProof-- === 0 || performance.now() - provedAt > PROOF_AT_LEAST_EVERY_MS) {
      untilProof = PUTS_BETWEEN_PROOFS;
      onWritten(entries);
      // Heartbeats and locks starve where the event loop does not turn, however slow `encode` is.
      await turn();
      await claim.prove();
      signal.throwIfAborted();
      provedAt = performance.now();
    }
    const value = Buffer.from(encode(projection, aggregate));
    const sha256 = createHash("sha256").update(value).digest("hex");
    entries.sha256ByKey.set(aggregate.key, sha256);
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

async function headsBefore(
  client: NatsClient,
  plan: Plan,
  complete: readonly Aggregate[],
): Promise<Map<string, EntryHead>> {
  const heads = new Map<string, EntryHead>();
  const [only] = complete;
  if (only && complete.length === 1) {
    const entry = await getEntry(client, plan.target.bucket, only.key);
    if (entry) heads.set(only.key, entry);
    return heads;
  }
  const wanted = new Set(complete.map((aggregate) => aggregate.key));
  for await (const batch of readHeads(client, plan.target.bucket, `${plan.domain}.>`)) {
    for (const head of batch) if (wanted.has(head.key)) heads.set(head.key, head);
  }
  return heads;
}

function isOurs(head: EntryHead | null | undefined, runId: string, sha256: string, lastSeq: number): boolean {
  const provenance = head?.provenance;
  return provenance?.run === runId && provenance.sha256 === sha256 && provenance.lastSeq === lastSeq;
}

/** An older epoch of this run, at its last gasp, may have written the same bytes first. Anybody else is a conflict. */
async function resolveRefused(
  client: NatsClient,
  plan: Plan,
  refused: readonly string[],
  digests: ReadonlyMap<string, string>,
): Promise<void> {
  for (const key of refused) {
    const entry = await getEntry(client, plan.target.bucket, key);
    const isSame = entry?.provenance?.run === plan.runId && entry.provenance.sha256 === digests.get(key);
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
