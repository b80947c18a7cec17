import type { Plan, UnitRecord } from "@cim-replay/core";
import { type Accounts, writerOf } from "./accounts.ts";
import type { EntryFacts } from "./entry-facts.ts";
import type { EntryTable } from "./entry-table.ts";
import { byPartition } from "./content.ts";
import type { Check, Discrepancies } from "./discrepancies.ts";
import { EntriesChain, type EntriesDigest } from "./entries-chain.ts";
import type { Expired } from "./expired.ts";
import type { Terms } from "./terms.ts";

const MAX_NAMED = 5;

export interface VerifiedRun {
  readonly id: string;
  readonly createdAt: string;
  readonly plan: Plan;
  readonly units: readonly UnitRecord[];
  /** It rebuilt every entry from every event there was: what it did not write belongs to nobody. */
  readonly isWhole: boolean;
  /** It went on from older entries: those without new events stay as they are. */
  readonly wentOn: boolean;
}

export interface ReadBackInput {
  readonly entries: EntryTable;
  /** Null where nobody can say which entries there should be. */
  readonly accounts: Accounts | null;
  /** Null where a bucket is verified and no run. */
  readonly run: VerifiedRun | null;
  readonly termsOf: (run: string | null) => Terms;
  /** Orphans that were there before the run are its business only where it was to remove them. */
  readonly keepsOrphans: boolean;
  /** Whoever writes after the run is within their rights: their entries are judged by their values alone. */
  readonly othersMayWrite: boolean;
  /** Entries whose events have gone, wholly or in part: that there are none says nothing. */
  readonly expired: Expired;
  /** An archive was restored after the run: entries of runs before it are back, under new revisions. */
  readonly wasRestored: boolean;
  /** −1 where it lies in none of the run's. */
  readonly partitionOf: (entry: EntryFacts) => number;
}

/** Does the bucket hold what was written, all of it and nothing else? */
export function checkReadBack(
  input: ReadBackInput,
  found: Discrepancies,
): { check: Check; digests: (EntriesDigest | null)[] } {
  const { entries, accounts, run } = input;
  const evidence: Record<string, number> = { entries: entries.size, foreign: 0, ofLaterRuns: 0, ofEarlierRuns: 0 };
  const ofRun = run?.plan.partitions.map(() => new EntriesChain()) ?? [];
  const changed = new Set<number>();
  const kept: string[] = [];
  // By key, as the digests have them.
  for (const entry of entries.sorted()) {
    if (isKeptOrphan(entry, input)) {
      kept.push(entry.key);
      continue;
    }
    checkEntry(entry, input, found);
    const origin = originOf(entry, input);
    if (origin === "run") addTo(ofRun[input.partitionOf(entry)], entry);
    else evidence[origin] = (evidence[origin] ?? 0) + 1;
    if (origin === "ofLaterRuns" || origin === "ofOtherWriters" || origin === "ofRestored")
      changed.add(input.partitionOf(entry));
  }
  if (accounts) evidence.due = findMissing(accounts, input, found);
  const digests = ofRun.map((chain) => chain.end());
  if (run) evidence.partitions = comparePartitions(run, digests, changed, found);
  const check = found.check({
    kinds: ["altered", "missing", "unwritten", "extra", "foreign", "entries"],
    compared: true,
    why: whyNotWholly(input, changed.size, kept),
    evidence: kept.length > 0 ? { ...evidence, keptOrphans: kept.length } : evidence,
  });
  return { check, digests };
}

/** Older than the run, and nobody's: the run told of it, and was not asked to remove it. */
function isKeptOrphan(entry: EntryFacts, input: ReadBackInput): boolean {
  const { run, accounts, keepsOrphans } = input;
  if (!keepsOrphans || run === null || entry.revision > run.plan.target.lastRevision) return false;
  return entry.stated?.run !== run.id && (accounts === null || accounts.due(entry.key) === null);
}

function whyNotWholly({ accounts, run }: ReadBackInput, changed: number, kept: readonly string[]): string | null {
  const reasons = [
    accounts ? null : "Nobody can say which keys there should be: missing and extra ones were not looked for.",
    changed > 0 ? `Later writers wrote into ${changed} partitions: their digests were not compared.` : null,
    kept.length > 0
      ? `Not of this run, older than it, and kept: ${kept.slice(0, MAX_NAMED).join(", ")}${kept.length > MAX_NAMED ? ", …" : ""}.`
      : null,
    run ? null : "No run is verified: entries are compared with their own provenance only, where they have one.",
  ].filter((reason) => reason !== null);
  return reasons.length > 0 ? reasons.join(" ") : null;
}

type Origin = "run" | "ofLaterRuns" | "ofEarlierRuns" | "ofOtherWriters" | "ofRestored" | "foreign";

function originOf(
  { id, stated, revision }: EntryFacts,
  { run, termsOf, othersMayWrite, wasRestored }: ReadBackInput,
): Origin {
  if (!stated) {
    const isLater = run !== null && id !== null && revision > run.plan.target.lastRevision;
    return isLater && othersMayWrite ? "ofOtherWriters" : "foreign";
  }
  if (!run) return "ofEarlierRuns";
  if (stated.run === run.id) return "run";
  if (revision <= run.plan.target.lastRevision) return "ofEarlierRuns";
  const { createdAt } = termsOf(stated.run);
  if (createdAt !== null && createdAt > run.createdAt) return "ofLaterRuns";
  return wasRestored ? "ofRestored" : "foreign";
}

function checkEntry(entry: EntryFacts, input: ReadBackInput, found: Discrepancies): void {
  const { key, id, stated, sha256 } = entry;
  const { run, accounts } = input;
  if (id === null) found.add("foreign", `No aggregate of the domain has the key ${key}.`, { key });
  else if (stated && stated.sha256 !== sha256) {
    found.add("altered", `Entry ${key} is not what ${writerOf(entry)} wrote: its bytes have another SHA-256.`, {
      ...{ key, sequence: stated.lastSeq, expected: stated.sha256, found: sha256 },
    });
  } else if (run && originOf(entry, input) === "foreign") {
    const kind = entry.revision > run.plan.target.lastRevision ? "altered" : "foreign";
    found.add(
      kind,
      `Entry ${key} (revision ${entry.revision}) was written by ${writerOf(entry)}, not by a later run.`,
      { key },
    );
  }
  if (id !== null && accounts && isExtra(entry, input, accounts)) {
    found.add("extra", `No event accounts for entry ${key}, which ${writerOf(entry)} wrote; --prune would remove it.`, {
      key,
    });
  }
}

/** Only a run over everything can say of another's entry that no event accounts for it. */
function isExtra(entry: EntryFacts, input: ReadBackInput, accounts: Accounts): boolean {
  if (accounts.due(entry.key) !== null || input.expired.has(entry.key)) return false;
  const origin = originOf(entry, input);
  const isOfOthers = origin === "ofLaterRuns" || origin === "ofRestored";
  return input.run === null || origin === "run" || (!isOfOthers && input.run.isWhole);
}

/** Returns how many entries are due. */
function findMissing(accounts: Accounts, input: ReadBackInput, found: Discrepancies): number {
  const { entries, run } = input;
  let due = 0;
  for (const [key, { min }] of accounts.all()) {
    if (min === 0) continue;
    due += 1;
    const entry = entries.get(key);
    if (!entry) {
      found.add("missing", `The stream has ${min} events for ${key}, and there is no entry.`, {
        key,
        expected: `${min} events`,
      });
    } else if (run && originOf(entry, input) === "ofEarlierRuns" && isLeftBehind(entry, min, run)) {
      found.add(
        "unwritten",
        `Entry ${key} is still that of ${writerOf(entry)}: run ${run.id} did not write it, though it read events of it.`,
        {
          ...{ key, expected: `${min} events`, found: `${entry.stated?.events} events` },
        },
      );
    }
  }
  return due;
}

function isLeftBehind({ stated }: EntryFacts, due: number, run: VerifiedRun): boolean {
  return !run.wentOn || due > (stated?.events ?? 0);
}

/** Of what the entry is, not of what it says: an altered value breaks the digest. */
function addTo(chain: EntriesChain | undefined, { key, sha256, stated }: EntryFacts): void {
  chain?.add({ key, sha256, lastSeq: stated?.lastSeq ?? 0, events: stated?.events ?? 0 });
}

/** Returns how many were compared. */
function comparePartitions(
  { plan, units }: VerifiedRun,
  digests: readonly EntriesDigest[],
  changed: ReadonlySet<number>,
  found: Discrepancies,
): number {
  const recorded = byPartition(plan, units, (unit, at) => unit.entriesByPartition[at] ?? null);
  let compared = 0;
  for (const [partition, digest] of digests.entries()) {
    const written = recorded[partition];
    if (!written || changed.has(partition)) continue;
    compared += 1;
    if (written.sha256 === digest.sha256 && written.entries === digest.entries) continue;
    found.add("entries", `Partition ${partition}: its entries or their provenance are not those that the run wrote.`, {
      partition,
      expected: `${written.entries} entries, ${written.sha256}`,
      found: `${digest.entries} entries, ${digest.sha256}`,
    });
  }
  return compared;
}
