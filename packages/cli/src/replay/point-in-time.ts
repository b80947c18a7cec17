import type { ReplayContext } from "@cim-replay/coordinator";
import { errorMessage, formatTime, ReplayError, type RunRecord, UnreachableError, UsageError } from "@cim-replay/core";
import { type NatsClient, readHeads } from "@cim-replay/nats";
import { type Certificate, verifyDomain } from "@cim-replay/verifier";
import type { Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { firstDiscrepancy } from "../output/verification-text.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { domainToVerify, withVerifySession } from "../verify/session.ts";
import type { WayBack } from "./checkpoint-first.ts";
import { type Moment, replayToMoment } from "./moment-request.ts";
import { ReplayRunner } from "./runner.ts";
import { earlier, lastSeqBy, preciseText } from "./server-moment.ts";

const MOST_NAMED = 5;

export interface PointInTime {
  readonly invocation: Invocation;
  readonly loaded: LoadedSettings;
  readonly moment: Moment;
  /** Certifies each run at `full`, and compares the bucket with the state at the moment afterwards. */
  readonly verifies: boolean;
  /** Told of each runner before it begins. */
  readonly onRunner: (runner: ReplayRunner) => void;
}

/** What came of one domain. */
export interface DomainOutcome {
  readonly domain: string;
  /** Null where none could be begun. */
  readonly run: RunRecord | null;
  /** Of the comparison with the state at the moment; null where none was asked for or the run did not complete. */
  readonly certificate: Certificate | null;
  readonly isDone: boolean;
  /** Why it is not done. */
  readonly reason: string | null;
  /** Where the stream begins, if that is no longer its beginning: the state lacks what came before. Null: it has all. */
  readonly historySince: { readonly stream: string; readonly firstSeq: number } | null;
}

export interface ReplayedDomains {
  readonly wayBack: WayBack;
  readonly outcomes: readonly DomainOutcome[];
}

/**
 * One domain after the other; one that fails does not keep the others from being done. Ends early where it is interrupted.
 * Throws UnreachableError: without servers there is nothing to go on with.
 */
export async function replayDomainsToMoment(
  ctx: ReplayContext,
  domains: readonly string[],
  task: PointInTime,
  interruption: AbortSignal,
): Promise<DomainOutcome[]> {
  const outcomes: DomainOutcome[] = [];
  for (const domain of domains) {
    if (interruption.aborted) break;
    const outcome = await replayOne(ctx, domain, task, interruption).catch((error: unknown) => failed(domain, error));
    if (outcome.reason !== null) task.invocation.screen.note(`${domain}: ${outcome.reason}`);
    outcomes.push(outcome);
  }
  return outcomes;
}

async function replayOne(
  ctx: ReplayContext,
  domain: string,
  asked: PointInTime,
  interruption: AbortSignal,
): Promise<DomainOutcome> {
  const task = { ...asked, moment: await momentOf(ctx.client, domain, asked) };
  const { invocation, loaded, moment, verifies, onRunner } = task;
  const request = replayToMoment(domain, moment, loaded, verifies);
  // Its summaries give way to the table at the end.
  const runner = new ReplayRunner({ ...invocation, print: () => undefined }, ctx, request, interruption);
  onRunner(runner);
  const status = await runner.run();
  const run = runner.ended.at(-1) ?? null;
  const historySince = await beginningOf(ctx, run);
  const open = { domain, run, historySince, certificate: null, isDone: false };
  if (status !== EXIT.done) return { ...open, reason: run?.reason ?? "it was interrupted" };
  const strangers = run ? await entriesOfOthers(ctx, run) : [];
  if (strangers.length > 0) {
    const named = strangers.slice(0, MOST_NAMED).join(", ") + (strangers.length > MOST_NAMED ? ", …" : "");
    const reason = `${strangers.length} entries are not of run ${run?.id} (${named}): their aggregates' events were skipped or have gone from the stream, or somebody else writes there`;
    return { ...open, reason };
  }
  if (!verifies) return { ...open, isDone: true, reason: null };
  const certificate = await compareWithMoment(domain, task);
  const isDone = certificate.verdict === "holds";
  return { ...open, certificate, isDone, reason: isDone ? null : firstDiscrepancy(certificate) };
}

async function beginningOf({ ledger }: ReplayContext, run: RunRecord | null): Promise<DomainOutcome["historySince"]> {
  const plan = run && (await ledger.getPlan(run.id));
  return plan && plan.stream.firstSeq > 1 ? { stream: plan.stream.name, firstSeq: plan.stream.firstSeq } : null;
}

/** Of this domain's stream. Throws UsageError where that held nothing then. */
async function momentOf(client: NatsClient, domain: string, { loaded, moment }: PointInTime): Promise<Moment> {
  const toSeq = await lastSeqBy(client, loaded, domain, moment);
  if (toSeq !== 0) return { ...moment, toSeq: earlier(moment.toSeq, toSeq) };
  throw new UsageError(
    `Cannot replay ${domain}: the server had received nothing by ${preciseText(moment, formatTime)}. Ask for a later time.`,
  );
}

/** The run wrote every aggregate that there was: whatever else is left of the domain is no part of the state. */
async function entriesOfOthers({ client }: ReplayContext, { id, settings }: RunRecord): Promise<string[]> {
  const keys: string[] = [];
  for await (const heads of readHeads(client, settings.target, `${settings.domain}.>`)) {
    for (const { key, deleted, provenance } of heads) if (!deleted && provenance?.run !== id) keys.push(key);
  }
  return keys;
}

/** Through a connection of its own, and asking no run's records: whatever wrote the entries, they must be that state. */
function compareWithMoment(domain: string, { invocation, loaded, moment }: PointInTime): Promise<Certificate> {
  const { timeMs, toSeq } = moment;
  const asOf = { timeMs, basis: loaded.settings.timeBasis, ...(toSeq !== undefined && { toSeq }) };
  return withVerifySession(invocation, loaded, async (session) =>
    verifyDomain({ ...(await domainToVerify(session, domain, "full")), run: null, asOf }),
  );
}

function failed(domain: string, error: unknown): DomainOutcome {
  if (!(error instanceof ReplayError) || error instanceof UnreachableError) throw error;
  return { domain, run: null, certificate: null, isDone: false, reason: errorMessage(error), historySince: null };
}
