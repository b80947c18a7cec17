import { type NatsClient, seqAtTime } from "@cim-replay/nats";
import type { EntryFacts } from "./bucket-entries.ts";
import type { LeftOut } from "./certificate.ts";
import type { AsOf, Scene, Verification } from "./scene.ts";
import { presentTerms, type Terms, TermsOfRuns } from "./terms.ts";

/** On which terms each entry stands. */
export interface KnownRuns {
  readonly of: (run: string | null) => Terms;
  /** Of aggregates without an entry: those of the run that is verified, or the stream's present. */
  readonly default: Terms;
  readonly all: readonly Terms[];
  /** Of the entries of a run, or of nobody: where the stream began for whoever wrote them; infinite where nobody knows. */
  readonly startOf: (run: string | null) => number;
  readonly leftOut: readonly LeftOut[];
}

/** Looks up every run that wrote one of the entries. */
export async function lookUpRuns(
  { client, ledger, domain, bucket, evidence, aggregateId, asOf }: Verification,
  { stream, streamName, range }: Scene,
  entries: Iterable<EntryFacts>,
): Promise<KnownRuns> {
  const present = presentTerms(stream?.firstSeq || range.fromSeq, stream?.lastSeq ?? range.toSeq);
  const terms = new TermsOfRuns(client, ledger, { domain, bucket, present });
  const own = evidence && (await terms.load(evidence.run.id, { run: evidence.run, plan: evidence.plan }));
  const runs = new Set<string>();
  for (const { stated } of entries) if (stated) runs.add(stated.run);
  const others: Terms[] = [];
  for (const run of runs) if (run !== evidence?.run.id) others.push(await terms.load(run));
  const startOf = (run: string | null) => (run === null ? (own ?? present) : terms.of(run)).startSeq;
  if (asOf) return heldTo(await momentOf(client, streamName, present, asOf), others, startOf);
  const all = own ? [own, ...others] : others;
  const leftOut = (own ? [own] : others).flatMap((each) => [...each.leftOut.values()]);
  return {
    of: (run) => terms.of(run),
    default: own ?? present,
    ...{ all, startOf },
    leftOut: leftOut
      .filter((event) => aggregateId === null || event.aggregateId === aggregateId)
      .map(({ sequence, aggregateId: id, kind, reason }) => ({ sequence, aggregateId: id, kind, reason })),
  };
}

/** One moment for all entries. What the runs put away stays away: it could not be decoded or folded at any time. */
function heldTo(moment: Terms, runs: readonly Terms[], startOf: KnownRuns["startOf"]): KnownRuns {
  const leftOut = new Map(runs.flatMap((run) => [...run.leftOut]));
  const terms = { ...moment, leftOut };
  return {
    ...{ of: () => terms, default: terms, all: [terms], startOf },
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
