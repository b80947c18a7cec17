import { entryKey, type SequenceRange } from "@cim-replay/core";
import { deletedWithin } from "@cim-replay/nats";
import type { EntryTable } from "./entry-table.ts";
import type { Discrepancies } from "./discrepancies.ts";
import type { KnownRuns } from "./known-runs.ts";
import type { Scene, Verification } from "./scene.ts";
import { StreamFold } from "./stream-fold.ts";
import { type PassAccount, streamPass } from "./stream-pass.ts";
import { countIndex, type IndexCount, type Witness, witnessUpTo } from "./witness.ts";

/** One sequential reading of the stream, and what came of it. */
export interface Reading {
  readonly fold: StreamFold;
  readonly account: PassAccount;
  /** From the stream's first message on. */
  readonly fromStart: boolean;
}

export async function readAgain(
  verification: Verification,
  scene: Scene,
  parts: { entries: EntryTable; runs: KnownRuns; found: Discrepancies },
): Promise<Reading | null> {
  const { client, level, projection, aggregateId, domain, signal, onProgress, toPresent } = verification;
  const { stream, streamName } = scene;
  if (!stream || scene.unreadable !== null) return null;
  const { entries, runs, found } = parts;
  const range = readingRange(verification, scene, parts);
  const fold = new StreamFold({
    ...{ domain, aggregateId, entries, found, codec: scene.codec, range: scene.range },
    ...{ partitions: scene.partitions, partitionOf: scene.partitionOf },
    digest: level !== "counts",
    projection: level === "full" && scene.unlike === null ? (projection?.projection ?? null) : null,
    projectionSha256: projection?.ref.sha256 ?? null,
    termsOf: runs.of,
    defaultTerms: runs.default,
    mayLack: (entry) => runs.startOf(entry?.stated?.run ?? null) < stream.firstSeq,
  });
  const account = await streamPass(
    client,
    {
      ...{ stream, range, signal, filterSubjects: filterOf(verification, scene) },
      mayExpire: toPresent,
      deleted: await deletedWithin(client, streamName, range),
      onProgress: (seq) =>
        onProgress({ stage: "stream", done: seq - range.fromSeq + 1, total: range.toSeq - range.fromSeq + 1 }),
    },
    fold,
    found,
  );
  return { fold, account, fromStart: range.fromSeq <= stream.firstSeq };
}

/** The range of the run, and what else its entries stand on. */
function readingRange(
  { toPresent }: Verification,
  { stream, range }: Scene,
  { entries, runs }: { entries: EntryTable; runs: KnownRuns },
): SequenceRange {
  const lastSeq = stream?.lastSeq ?? 0;
  let toSeq = toPresent ? lastSeq : range.toSeq;
  for (const { stated } of entries.values()) if (stated && stated.lastSeq > toSeq) toSeq = stated.lastSeq;
  const fromSeq = Math.min(range.fromSeq, ...runs.all.map((terms) => terms.fromSeq));
  return { fromSeq, toSeq: Math.min(toSeq, lastSeq) };
}

/** Only where the run was filtered too, or one aggregate is wanted: an unfiltered reading accounts for every sequence. */
function filterOf({ aggregateId, evidence }: Verification, { codec }: Scene): readonly string[] {
  if (aggregateId !== null) return codec.aggregateSubjects(aggregateId) ?? codec.subjects;
  return evidence && evidence.plan.read.filterSubjects.length > 0 ? codec.subjects : [];
}

/** At `counts` the index is most of the work; above it, the reading is. */
const MOST_SUBJECTS = { counts: 500_000, content: 2_000_000, full: 2_000_000 };

/** Begins to ask the server's subject index; or why it says nothing here. */
export async function beginToCount(
  { client, aggregateId, level }: Verification,
  { codec, stream, unlike }: Scene,
): Promise<IndexCount | string> {
  if (!codec.idInSubject) return "the subjects hold no ids";
  if (unlike !== null || !stream) return unlike ?? "the stream is gone";
  const subjects = subjectsOf(aggregateId, codec);
  return countIndex(client, stream, codec, { subjects, mostSubjects: MOST_SUBJECTS[level] });
}

/** What the index bears witness to, or why to nothing. */
export async function askWitness(
  { client, evidence, aggregateId, signal }: Verification,
  { codec, stream, range }: Scene,
  runs: KnownRuns,
  counted: IndexCount | string,
): Promise<Witness | string> {
  if (typeof counted === "string" || !stream) return String(counted);
  if (evidence && runs.default.fromSeq > stream.firstSeq) {
    return `the run's range begins at sequence ${range.fromSeq}, the stream at ${stream.firstSeq}`;
  }
  const known = runs.all.filter((terms) => terms.isKnown).map((terms) => terms.toSeq);
  const toSeq = evidence ? range.toSeq : Math.min(stream.lastSeq, ...known);
  return witnessUpTo(client, counted, codec, { subjects: subjectsOf(aggregateId, codec), toSeq, signal });
}

function subjectsOf(aggregateId: string | null, codec: Scene["codec"]): readonly string[] {
  return (aggregateId === null ? null : codec.aggregateSubjects(aggregateId)) ?? codec.subjects;
}

/**
 * Whether keys without entries and entries without keys may be the same aggregates: where ids come from envelopes, a
 * subject may name them otherwise. Only reading tells.
 */
export function namesAreUnclear(witness: Witness | string, domain: string, entries: EntryTable): boolean {
  if (typeof witness === "string") return false;
  const keys = new Set<string | null>();
  for (const routeKey of witness.keys()) keys.add(keyOfRoute(domain, routeKey));
  const hasLoneEntry = [...entries.keys()].some((key) => !keys.has(key));
  return hasLoneEntry && [...keys].some((key) => key === null || !entries.has(key));
}

/** Null where no entry can have such a key. */
export function keyOfRoute(domain: string, routeKey: string): string | null {
  try {
    return entryKey(domain, routeKey);
  } catch {
    return null;
  }
}
