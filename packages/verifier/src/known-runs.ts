import { type Ledger, type NatsClient, seqAtTime } from "@cim-replay/nats";
import type { EntryFacts } from "./entry-facts.ts";
import type { LeftOut } from "./certificate.ts";
import { lastCompletedRun } from "./run-evidence.ts";
import type { AsOf, Scene, Verification } from "./scene.ts";
import { presentTerms, type Terms, TermsOfRuns } from "./terms.ts";

const NOTHING_LEFT_OUT: Terms["leftOut"] = new Map();

/** On which terms each entry stands. */
export interface KnownRuns {
  readonly of: (run: string | null) => Terms;
  /** Of aggregates without an entry: those of the run that is verified, or the stream's present. */
  readonly default: Terms;
  readonly all: readonly Terms[];
  /** Of the entries of a run, or of nobody: where the stream began for whoever wrote them; infinite where nobody knows. */
  readonly startOf: (run: string | null) => number;
  readonly leftOut: readonly LeftOut[];
  /** Runs that took a selection of events, and the SHA-256 of each one's filter. */
  readonly selections: readonly { readonly run: string; readonly filterSha256: string }[];
}

/** Looks up every run that wrote one of the entries. */
export async function lookUpRuns(
  { client, ledger, domain, bucket, evidence, aggregateId, asOf }: Verification,
  { stream, streamName, range }: Scene,
  entries: Iterable<EntryFacts>,
): Promise<KnownRuns> {
  const present = presentTerms(stream?.firstSeq || range.fromSeq, stream?.lastSeq ?? range.toSeq);
  const terms = new TermsOfRuns(client, ledger, { domain, bucket, present });
  const own = evidence && (await terms.load(evidence.run.id, evidence));
  const runs = new Set<string>();
  for (const { stated } of entries) if (stated) runs.add(stated.run);
  const others: Terms[] = [];
  for (const run of runs) if (run !== evidence?.run.id) others.push(await terms.load(run));
  const startOf = (run: string | null) => (run === null ? (own ?? present) : terms.of(run)).startSeq;
  if (asOf) return heldTo(await momentOf(client, streamName, present, asOf), others, startOf);
  const byDefault = own ?? (await selectionOf(ledger, terms, { domain, bucket })) ?? present;
  const all = own ? [own, ...others] : others;
  const leftOut = (own ? [own] : others).flatMap((each) => [...each.leftOut.values()]);
  return {
    of: (run) => terms.of(run),
    default: byDefault,
    ...{ all, startOf },
    selections: selectionsAmong([byDefault, ...all]),
    leftOut: leftOut
      .filter((event) => aggregateId === null || event.aggregateId === aggregateId)
      .map(({ sequence, aggregateId: id, kind, reason }) => ({ sequence, aggregateId: id, kind, reason })),
  };
}

/**
 * What an aggregate without an entry is held to where no run is verified: in a bucket that selections alone were replayed
 * into, those that none of them took have none, rightly.
 */
async function selectionOf(
  ledger: Ledger | null,
  terms: TermsOfRuns,
  { domain, bucket }: { domain: string; bucket: string },
): Promise<Terms | null> {
  const last = ledger && (await lastCompletedRun(ledger, domain, bucket));
  return last?.plan.filter ? terms.load(last.run.id, last) : null;
}

function selectionsAmong(all: readonly Terms[]): KnownRuns["selections"] {
  const byRun = new Map(all.map(({ run, filterSha256 }) => [run, filterSha256]));
  return [...byRun].flatMap(([run, filterSha256]) => (run && filterSha256 ? [{ run, filterSha256 }] : []));
}

/**
 * One moment for all entries, less what the run that wrote each has put away: that could not be decoded or folded at any
 * time. Of aggregates without an entry nobody knows whose they would be: what any of these runs put away is left out.
 */
function heldTo(moment: Terms, runs: readonly Terms[], startOf: KnownRuns["startOf"]): KnownRuns {
  const leftOut = new Map(runs.flatMap((run) => [...run.leftOut]));
  const byDefault = { ...moment, leftOut };
  const byRun = new Map(runs.map((run) => [run.run, { ...moment, leftOut: run.leftOut }]));
  return {
    of: (run) => byRun.get(run) ?? { ...moment, leftOut: NOTHING_LEFT_OUT },
    default: byDefault,
    all: [byDefault, ...byRun.values()],
    startOf,
    selections: selectionsAmong(runs),
    leftOut: [...leftOut.values()].map(({ sequence, aggregateId, kind, reason }) => ({
      ...{ sequence, aggregateId, kind, reason },
    })),
  };
}

async function momentOf(client: NatsClient, stream: string, present: Terms, asOf: AsOf): Promise<Terms> {
  const moment = { ...present, isKnown: true, toSeq: Math.min(present.toSeq, asOf.toSeq ?? present.toSeq) };
  if (asOf.basis === "event") return { ...moment, toTimeMs: asOf.timeMs };
  const last = (await seqAtTime(client, stream, asOf.timeMs, "last-at-or-before")) ?? present.fromSeq - 1;
  return { ...moment, toSeq: Math.min(moment.toSeq, last) };
}
