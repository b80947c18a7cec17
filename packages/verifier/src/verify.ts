import { canonicalJson, type RunRecord } from "@cim-replay/core";
import { streamFacts } from "@cim-replay/nats";
import { type Accounts, accountsOfIndex, accountsOfReading } from "./accounts.ts";
import { behindByIndex, behindByReading, nobodyBehind } from "./behind.ts";
import { readBucketEntries } from "./bucket-entries.ts";
import type { EntryTable } from "./entry-table.ts";
import { type Certificate, certificateSchema, planSha256, verdictOf } from "./certificate.ts";
import { checkContent, recordedContent } from "./content.ts";
import type { ContentDigest } from "./content-chain.ts";
import { checkCounts } from "./counts.ts";
import { checkCoverage } from "./coverage.ts";
import { Discrepancies } from "./discrepancies.ts";
import { type Expired, expiredInCertificate, findExpired, presentByIndex, presentByReading } from "./expired.ts";
import { type KnownRuns, lookUpRuns } from "./known-runs.ts";
import { reportMismatches } from "./parting.ts";
import { checkReadBack, type ReadBackInput, type VerifiedRun } from "./read-back.ts";
import { askWitness, beginToCount, keyOfRoute, namesAreUnclear, readAgain, type Reading } from "./reading.ts";
import { compareValues, refoldCheck } from "./refold.ts";
import { isWholeRun } from "./run-evidence.ts";
import { type AsOf, lookAround, requireInputs, type Scene, type Verification } from "./scene.ts";
import { isSelective, type Terms } from "./terms.ts";
import type { Witness } from "./witness.ts";

const MAX_LISTED = 1_000;

/** All that was gathered, before anything of it is judged. */
interface Gathered {
  readonly scene: Scene;
  readonly entries: EntryTable;
  readonly runs: KnownRuns;
  readonly witness: Witness | string;
  readonly reading: Reading | null;
  /** Null also where what the workers were handed is not wholly there any more. */
  readonly content: readonly ContentDigest[] | null;
  readonly expired: Expired;
  /** The first sequence of what could be read. */
  readonly firstSeq: number;
}

/** Reads bucket, index and stream, each once, compares them, and says what came of it. Writes nothing. */
export async function verify(verification: Verification): Promise<Certificate> {
  const found = new Discrepancies();
  const gathered = await gather(verification, found);
  const coverage = cover(verification, gathered, found);
  const counts = count(verification, gathered, found);
  const content = checkContent(recorded(verification), gathered.content, found, whyNoContent(gathered));
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
  const { client, bucket, domain, level, onProgress, aggregateId, signal, toPresent } = verification;
  await requireInputs(verification);
  // The index is the server's work and reading entries mostly ours: they share the wait.
  const before = await lookAround(verification);
  const counting = verification.counted ? Promise.resolve(verification.counted) : beginToCount(verification, before);
  counting.catch(() => undefined);
  const entries = await readBucketEntries(client, bucket, { domain, aggregateId, signal }, (done) =>
    onProgress({ stage: "entries", done, total: null }),
  );
  // Again, so that no entry holds an event that the stream seems not to have: runs may write all the while.
  const scene = await lookAround(verification);
  const runs = await lookUpRuns(verification, scene, entries.values());
  const asking = counting.then((counted) => askWitness(verification, scene, runs, counted));
  asking.catch(() => undefined);
  const isFiltered = runs.default.filter !== null;
  const mustRead = level !== "counts" || isFiltered || namesAreUnclear(await asking, domain, entries);
  const reading = mustRead ? await readAgain(verification, scene, { entries, runs, found }) : null;
  const witness = await stillTrue(client, await asking, before.stream);
  const content = reading && level !== "counts" && isWhole(scene, reading) ? reading.fold.contentByPartition() : null;
  const firstSeq = Math.max(scene.stream?.firstSeq ?? 0, reading?.account.wholeFromSeq ?? 0);
  const presentEvents = reading
    ? presentByReading(reading.fold)
    : presentByIndex(witness, (routeKey) => keyOfRoute(domain, routeKey));
  const expired = toPresent ? findExpired({ entries, runs, firstSeq, presentEvents }) : new Set<string>();
  return { scene, entries, runs, witness, reading, content, expired, firstSeq };
}

/** The index knows the present only: of messages that went while it was asked, it may have counted some. */
async function stillTrue(
  client: Verification["client"],
  witness: Witness | string,
  before: Scene["stream"],
): Promise<Witness | string> {
  if (typeof witness === "string" || !before) return witness;
  const now = await streamFacts(client, before.name);
  return now && now.firstSeq > before.firstSeq ? "messages went from the stream's front meanwhile" : witness;
}

/** Whether all that the run read could be read again. */
function isWhole({ expired, range }: Scene, { account }: Reading): boolean {
  return expired === 0 && account.wholeFromSeq <= range.fromSeq;
}

function whyNoContent({ scene, reading }: Gathered): string | undefined {
  if (!reading || isWhole(scene, reading)) return undefined;
  return "Messages that the run read have gone from the stream's front.";
}

function cover({ evidence }: Verification, { scene, runs, reading }: Gathered, found: Discrepancies) {
  const { stream, deleted } = scene;
  const run = evidence && {
    ...evidence,
    aggregateId: evidence.run.settings.aggregateId,
    filter: evidence.run.settings.filter,
    quarantined: runs.of(evidence.run.id).leftOut.size,
  };
  return checkCoverage({ run, stream, deleted, account: reading?.account ?? null, expired: scene.expired }, found);
}

function count({ domain, evidence }: Verification, gathered: Gathered, found: Discrepancies) {
  const { scene, entries, runs, witness, reading, expired } = gathered;
  return checkCounts(
    {
      ...{ witness, entries, termsOf: runs.of, toSeq: scene.range.toSeq, partitionOf: scene.partitionOf },
      isCountable: (terms) => isCountable(terms, gathered, evidence !== null),
      ...{ expired, isRangeWhole: scene.expired === 0 },
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
  if (typeof witness === "string" || isSelective(terms)) return false;
  if (terms.fromSeq > (scene.stream?.firstSeq ?? 0)) return false;
  // An older entry that such a run rightly left may lack events that the run filtered, and the index counts them.
  if (hasRun && terms.toSeq < witness.knowsFromSeq && isSelective(defaultTerms)) return false;
  return hasRun || !terms.isKnown || terms.toSeq >= witness.knowsFromSeq;
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
    expired: gathered.expired,
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
  if (typeof witness === "string" || isSelective(runs.default)) return null;
  const keyOf = (routeKey: string) => keyOfRoute(domain, routeKey);
  return accountsOfIndex(witness, runs.default, { keyOf, route: scene.codec.route });
}

async function foldAgain(verification: Verification, gathered: Gathered, found: Discrepancies) {
  const { client, bucket, level, projection, signal, onProgress } = verification;
  const { scene, reading, expired } = gathered;
  if (level !== "full" || projection === null) return refoldCheck("This level folds nothing.", found);
  if (!reading || !scene.stream || scene.unlike !== null) return refoldCheck(`Not folded: ${scene.unlike}.`, found);
  const folding = { projection: projection.projection, projectionSha256: projection.ref.sha256, expired, signal };
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
  const unsearched = await reportMismatches(parting, refolded.mismatches, found);
  return refoldCheck(refolded, found, unsearched);
}

function behindOf({ domain, toPresent }: Verification, { scene, entries, runs, witness, reading }: Gathered) {
  if (!toPresent || scene.unlike !== null) return nobodyBehind();
  if (reading) return behindByReading(reading.fold);
  if (typeof witness === "string") return nobodyBehind();
  const keyOf = (routeKey: string) => keyOfRoute(domain, routeKey);
  return behindByIndex(witness, entries, {
    ...{ termsOf: runs.of, keyOf, route: scene.codec.route, toSeq: runs.default.toSeq },
  });
}

function issue(
  verification: Verification,
  gathered: Gathered,
  outcome: Pick<Certificate, "checks" | "partitions" | "discrepancies">,
): Certificate {
  const { evidence, domain, aggregateId, bucket, level, projection, toolVersion, asOf } = verification;
  const { scene, runs } = gathered;
  const pinned = evidence?.plan.stream;
  const lost = expiredInCertificate(gathered.expired, gathered.firstSeq);
  const { created = "", firstSeq = 0, lastSeq = 0 } = scene.stream ?? pinned ?? {};
  return parsed({
    version: 1,
    tool: { name: "cim-replay", version: toolVersion },
    runId: evidence?.run.id ?? null,
    ...{ domain, aggregateId, bucket, level },
    stream: { name: scene.streamName, created, firstSeq, lastSeq },
    range: { fromSeq: scene.range.fromSeq, toSeq: scene.range.toSeq },
    ...(asOf && { asOf: statedMoment(asOf) }),
    ...(runs.selections.length > 0 && { selections: [...runs.selections] }),
    planSha256: evidence ? planSha256(evidence.wholePlan ?? evidence.plan) : null,
    projection: projection && { name: projection.ref.name, sha256: projection.ref.sha256 },
    ...outcome,
    leftOut: { total: runs.leftOut.length, first: runs.leftOut.slice(0, MAX_LISTED) },
    behind: behindOf(verification, gathered),
    ...lost,
    verdict: verdictOf({ ...outcome, ...lost }),
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
