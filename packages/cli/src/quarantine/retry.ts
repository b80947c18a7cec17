import { cancelRun, type ReplayContext } from "@cim-replay/coordinator";
import { ReplayError, type RunRecord } from "@cim-replay/core";
import { QuarantineStore } from "@cim-replay/nats";
import { type TriedFold, tryFold } from "@cim-replay/verifier";
import type { Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { ReplayRunner } from "../replay/runner.ts";
import { runSettingsFor } from "../replay/run-settings.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { requestOf, type RetryGroup } from "./retry-groups.ts";

/** What came of one parked aggregate. */
export interface Retried {
  readonly domain: string;
  readonly target: string;
  readonly aggregateId: string;
  /** Kept events of it. */
  readonly events: number;
  /** The run that folded it; null where none did. */
  readonly run: string | null;
  /** Why it is parked still; null where it is not. */
  readonly reason: string | null;
}

export interface Retrying {
  readonly invocation: Invocation;
  readonly ctx: ReplayContext;
  readonly loaded: LoadedSettings;
  readonly signal: AbortSignal;
}

/**
 * First a trial in memory says which of the aggregates can be folded from beginning to end. Those are replayed by one run of the
 * ordinary kind, certified as any other; of the others nothing is touched.
 */
export async function retryGroup(retrying: Retrying, group: RetryGroup): Promise<Retried[]> {
  const { ctx, loaded, signal } = retrying;
  const all = requestOf(group, [...group.aggregates.keys()], loaded);
  const { domain } = group.keeper.settings;
  const { settings, projections } = await runSettingsFor(domain, all.loaded, all.flags, all.filter);
  const [projection] = projections;
  if (!projection) throw new ReplayError(`Cannot fold ${domain} again: it has no projection.`);
  const mustFold = new Set([...group.aggregates.values()].flatMap((sequences) => [...sequences]));
  const tried = await tryFold({ client: ctx.client, settings, projection, mustFold, signal });
  const reasons = new Map([...group.aggregates].map(([id, kept]) => [id, whyNot(tried, id, kept)]));
  const good = [...reasons].filter(([, reason]) => reason === null).map(([id]) => id);
  const run = good.length > 0 ? await runOver(retrying, group, good) : null;
  return [...group.aggregates].map(([aggregateId, kept]) => {
    const reason = reasons.get(aggregateId) ?? whyNotDone(run);
    const { target } = group.keeper.settings;
    return { domain, target, aggregateId, events: kept.size, run: reason === null ? (run?.id ?? null) : null, reason };
  });
}

function whyNot(tried: TriedFold, id: string, kept: ReadonlySet<number>): string | null {
  const failure = tried.fails.get(id);
  if (failure) return `event ${failure.seq}: ${failure.reason}`;
  if (tried.nameless) {
    return `event ${tried.nameless.seq} cannot be decoded (${tried.nameless.reason}) and names no aggregate: it may be its`;
  }
  const gone = [...kept].find((seq) => !tried.folded.has(seq));
  return gone === undefined ? null : `event ${gone} is not in the stream any more, or not among its aggregate's events`;
}

function whyNotDone(run: RunRecord | null): string | null {
  if (run?.state === "completed") return null;
  return `run ${run?.id ?? "–"} is ${run?.state ?? "not begun"}: ${run?.reason ?? "it was interrupted"}`;
}

async function runOver(retrying: Retrying, group: RetryGroup, ids: readonly string[]): Promise<RunRecord | null> {
  const { invocation, ctx, loaded, signal } = retrying;
  const quiet = { ...invocation, print: () => undefined };
  const runner = new ReplayRunner(quiet, ctx, requestOf(group, ids, loaded), signal);
  const status = await runner.run();
  const run = runner.ended.at(-1) ?? null;
  if (run && status === EXIT.failed) await putAway(ctx, run);
  return run;
}

/** Nobody goes on with a retry that failed: another is made. What it kept are the same events as before. */
async function putAway({ client, ledger }: ReplayContext, run: RunRecord): Promise<void> {
  await cancelRun(ledger, run.id, `A retry that failed: ${run.reason ?? "without a reason"}`);
  const store = await QuarantineStore.open(client, { create: false });
  await store?.discard(await store.places(run.id));
}
