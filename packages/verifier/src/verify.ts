import { canonicalJson, type RunRecord } from "@cim-replay/core";
import { type Accounts, accountsOfIndex, accountsOfReading } from "./accounts.ts";
import { behindByIndex, behindByReading, nobodyBehind } from "./behind.ts";
import { type EntryFacts, readBucketEntries } from "./bucket-entries.ts";
import { type Certificate, certificateSchema, planSha256, verdictOf } from "./certificate.ts";
import { checkContent, recordedContent } from "./content.ts";
import type { ContentDigest } from "./content-chain.ts";
import { checkCounts } from "./counts.ts";
import { checkCoverage } from "./coverage.ts";
import { Discrepancies } from "./discrepancies.ts";
import { type KnownRuns, lookUpRuns } from "./known-runs.ts";
import { reportMismatches } from "./parting.ts";
import { checkReadBack, type ReadBackInput, type VerifiedRun } from "./read-back.ts";
import { askWitness, beginToCount, keyOfRoute, namesAreUnclear, readAgain, type Reading } from "./reading.ts";
import { compareValues, refoldCheck } from "./refold.ts";
import { isWholeRun } from "./run-evidence.ts";
import { type AsOf, lookAround, requireInputs, type Scene, type Verification } from "./scene.ts";
import type { Terms } from "./terms.ts";
import type { Witness } from "./witness.ts";

const MAX_LISTED = 1_000;

/** All that was gathered, before anything of it is judged. */
interface Gathered {
  readonly scene: Scene;
  readonly entries: ReadonlyMap<string, EntryFacts>;
  readonly runs: KnownRuns;
  readonly witness: Witness | string;
  readonly reading: Reading | null;
  readonly content: readonly ContentDigest[] | null;
}

/** Reads bucket, index and stream, each once, compares them, and says what came of it. Writes nothing. */
export async function verify(verification: Verification): Promise<Certificate> {
  const found = new Discrepancies();
  const gathered = await gather(verification, found);
  const coverage = cover(verification, gathered, found);
  const counts = count(verification, gathered, found);
  const content = checkContent(recorded(verification), gathered.content, found);
  const readBack = checkReadBack(readBackInput(verification, gathered), found);
  const refold = await foldAgain(verification, gathered, found);
  const checks = { coverage, counts, content, readBack: readBack.check, refold };
  return issue(verification, gathered, {
    checks,
    partitions: Array.from({ length: gathered.scene.partitions }, (_, index) => ({
      index,
      content: gathered.content?.[index] ?? null,
      entries: readBack.digests[index] ?? null,
    })),
    discrepancies: found.toJSON(),
  });
}

async function gather(verification: Verification, found: Discrepancies): Promise<Gathered> {
  const { client, bucket, domain, level, onProgress, aggregateId } = verification;
  await requireInputs(verification);
  // The index is the server's work and reading entries mostly ours: they share the wait.
  const counting = verification.counted
    ? Promise.resolve(verification.counted)
    : beginToCount(verification, await lookAround(verification));
  counting.catch(() => undefined);
  const entries = await readBucketEntries(client, bucket, { domain, aggregateId }, (done) =>
    onProgress({ stage: "entries", done, total: null }),
  );
  // Again, so that no entry holds an event that the stream seems not to have: runs may write all the while.
  const scene = await lookAround(verification);
  const runs = await lookUpRuns(verification, scene, entries.values());
  const asking = counting.then((counted) => askWitness(verification, scene, runs, counted));
  asking.catch(() => undefined);
  const mustRead = level !== "counts" || namesAreUnclear(await asking, domain, entries);
  const reading = mustRead ? await readAgain(verification, scene, { entries, runs, found }) : null;
  const witness = await asking;
  const content = reading && level !== "counts" ? reading.fold.contentByPartition() : null;
  return { scene, entries, runs, witness, reading, content };
}

function cover({ evidence }: Verification, { scene, runs, reading }: Gathered, found: Discrepancies) {
  const { stream, deleted } = scene;
  const run = evidence && {
    ...evidence,
    aggregateId: evidence.run.settings.aggregateId,
    quarantined: runs.of(evidence.run.id).leftOut.size,
  };
  return checkCoverage({ run, stream, deleted, account: reading?.account ?? null }, found);
}

function count({ domain, evidence }: Verification, gathered: Gathered, found: Discrepancies) {
  const { scene, entries, runs, witness, reading } = gathered;
  return checkCounts(
    {
      ...{ witness, entries, termsOf: runs.of, toSeq: scene.range.toSeq, partitionOf: scene.partitionOf },
      isCountable: (terms) => isCountable(terms, gathered, evidence !== null),
      fold: scene.unlike === null ? (reading?.fold ?? null) : null,
      readFromStart:
        reading?.fromStart === true && (evidence === null || scene.range.fromSeq <= (scene.stream?.firstSeq ?? 0)),
      run: evidence,
      keyOf: (routeKey) => keyOfRoute(domain, routeKey),
      route: scene.codec.route,
    },
    found,
  );
}

function isCountable(
  terms: Terms,
  { scene, witness, runs: { default: defaultTerms } }: Gathered,
  hasRun: boolean,
): boolean {
  if (typeof witness === "string" || hasTimes(terms)) return false;
  if (terms.fromSeq > (scene.stream?.firstSeq ?? 0)) return false;
  // An older entry that such a run rightly left may lack events that the run filtered, and the index counts them.
  if (hasRun && terms.toSeq < witness.knowsFromSeq && hasTimes(defaultTerms)) return false;
  return hasRun || !terms.isKnown || terms.toSeq >= witness.knowsFromSeq;
}

function hasTimes({ fromTimeMs, toTimeMs }: Terms): boolean {
  return fromTimeMs !== null || toTimeMs !== null;
}

function recorded({ evidence }: Verification) {
  return evidence ? recordedContent(evidence.plan, evidence.units) : [];
}

function readBackInput(verification: Verification, gathered: Gathered): ReadBackInput {
  const { scene, entries, runs, reading } = gathered;
  return {
    entries,
    accounts: accountsOf(verification, gathered),
    run: verifiedRun(verification),
    keepsOrphans: !verification.toPresent && isToKeepOrphans(verification.evidence?.run),
    othersMayWrite: verification.toPresent,
    wasRestored: verification.wasRestored === true,
    termsOf: runs.of,
    partitionOf: ({ key, id }) => scene.partitionOf(reading?.fold.get(key)?.routeKey ?? id ?? ""),
  };
}

/** A run that is to remove them does so after its certificate. */
function isToKeepOrphans(run: RunRecord | undefined): boolean {
  return run !== undefined && (!run.settings.prune || run.state === "verifying");
}

function verifiedRun({ evidence }: Verification): VerifiedRun | null {
  if (!evidence) return null;
  const { run, plan, units } = evidence;
  return {
    ...{ id: run.id, createdAt: run.createdAt, plan, units },
    isWhole: isWholeRun(evidence),
    wentOn: run.settings.continueFromEntries,
  };
}

function accountsOf({ domain }: Verification, { scene, runs, witness, reading }: Gathered): Accounts | null {
  if (scene.unlike !== null) return null;
  if (reading) return accountsOfReading(reading.fold);
  if (typeof witness === "string" || hasTimes(runs.default)) return null;
  const keyOf = (routeKey: string) => keyOfRoute(domain, routeKey);
  return accountsOfIndex(witness, runs.default, { keyOf, route: scene.codec.route });
}

async function foldAgain(verification: Verification, gathered: Gathered, found: Discrepancies) {
  const { client, bucket, level, projection, signal, onProgress } = verification;
  const { scene, reading } = gathered;
  if (level !== "full" || projection === null) return refoldCheck("This level folds nothing.", found);
  if (!reading || !scene.stream || scene.unlike !== null) return refoldCheck(`Not folded: ${scene.unlike}.`, found);
  const folding = { projection: projection.projection, projectionSha256: projection.ref.sha256 };
  const refolded = await compareValues({ aggregates: reading.fold.aggregates, ...folding }, found);
  onProgress({ stage: "values", done: refolded.compared, total: refolded.compared });
  const parting = {
    client,
    bucket,
    stream: scene.stream,
    codec: scene.codec,
    projection: projection.projection,
    signal,
  };
  await reportMismatches(parting, refolded.mismatches, found);
  return refoldCheck(refolded, found);
}

function behindOf({ domain, toPresent }: Verification, { scene, entries, runs, witness, reading }: Gathered) {
  if (!toPresent || scene.unlike !== null) return nobodyBehind();
  if (reading) return behindByReading(reading.fold);
  if (typeof witness === "string") return nobodyBehind();
  const keyOf = (routeKey: string) => keyOfRoute(domain, routeKey);
  return behindByIndex(witness, entries, { termsOf: runs.of, keyOf, route: scene.codec.route });
}

function issue(
  verification: Verification,
  gathered: Gathered,
  outcome: Pick<Certificate, "checks" | "partitions" | "discrepancies">,
): Certificate {
  const { evidence, domain, aggregateId, bucket, level, projection, toolVersion, asOf } = verification;
  const { scene, runs } = gathered;
  const pinned = evidence?.plan.stream;
  const { created = "", firstSeq = 0, lastSeq = 0 } = scene.stream ?? pinned ?? {};
  return parsed({
    version: 1,
    tool: { name: "cim-replay", version: toolVersion },
    runId: evidence?.run.id ?? null,
    ...{ domain, aggregateId, bucket, level },
    stream: { name: scene.streamName, created, firstSeq, lastSeq },
    range: { fromSeq: scene.range.fromSeq, toSeq: scene.range.toSeq },
    ...(asOf && { asOf: statedMoment(asOf) }),
    planSha256: evidence ? planSha256(evidence.plan) : null,
    projection: projection && { name: projection.ref.name, sha256: projection.ref.sha256 },
    ...outcome,
    leftOut: { total: runs.leftOut.length, first: runs.leftOut.slice(0, MAX_LISTED) },
    behind: behindOf(verification, gathered),
    verdict: verdictOf(outcome),
    issuedAt: new Date().toISOString(),
  });
}

function statedMoment({ timeMs, basis, toSeq }: AsOf): NonNullable<Certificate["asOf"]> {
  return { time: new Date(timeMs).toISOString(), basis, ...(toSeq !== undefined && { toSeq }) };
}

/** As it will be read: what its text cannot hold must not be issued. */
function parsed(certificate: Certificate): Certificate {
  return certificateSchema.parse(JSON.parse(canonicalJson(certificate)));
}
