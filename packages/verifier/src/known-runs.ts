import type { EntryFacts } from "./bucket-entries.ts";
import type { LeftOut } from "./certificate.ts";
import type { Scene, Verification } from "./scene.ts";
import { presentTerms, type Terms, TermsOfRuns } from "./terms.ts";

/** On which terms each entry stands. */
export interface KnownRuns {
  readonly of: (run: string | null) => Terms;
  /** Of aggregates without an entry: those of the run that is verified, or the stream's present. */
  readonly default: Terms;
  readonly all: readonly Terms[];
  readonly leftOut: readonly LeftOut[];
}

/** Looks up every run that wrote one of the entries. */
export async function lookUpRuns(
  { client, ledger, domain, bucket, evidence, aggregateId }: Verification,
  { stream, range }: Scene,
  entries: Iterable<EntryFacts>,
): Promise<KnownRuns> {
  const present = presentTerms(stream?.firstSeq || range.fromSeq, stream?.lastSeq ?? range.toSeq);
  const terms = new TermsOfRuns(client, ledger, { domain, bucket, present });
  const own = evidence && (await terms.load(evidence.run.id, { run: evidence.run, range: evidence.plan.range }));
  const runs = new Set<string>();
  for (const { stated } of entries) if (stated) runs.add(stated.run);
  const others: Terms[] = [];
  for (const run of runs) if (run !== evidence?.run.id) others.push(await terms.load(run));
  const all = own ? [own, ...others] : others;
  const leftOut = (own ? [own] : others).flatMap((each) => [...each.leftOut.values()]);
  return {
    of: (run) => terms.of(run),
    default: own ?? present,
    all,
    leftOut: leftOut
      .filter((event) => aggregateId === null || event.aggregateId === aggregateId)
      .map(({ sequence, aggregateId: id, kind, reason }) => ({ sequence, aggregateId: id, kind, reason })),
  };
}
