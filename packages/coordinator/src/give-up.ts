import { setTimeout as sleep } from "node:timers/promises";
import { isUnfinished, moveRun, type RunState, targetAt } from "@cim-replay/core";
import type { ReplayContext } from "./context.ts";
import { fenceUnits, isUnclaimable } from "./fence.ts";
import { holderText, LeaseKeeper, type LeaseSubject } from "./lease-keeper.ts";

export type LedgerContext = Pick<ReplayContext, "ledger" | "log">;

/** A worker may write for so long after it was fenced: by what it last knew, the unit was its own. */
const FENCED_WRITES_MS = 2_000;
/** Of a run that workers may be at, although nobody coordinates it. */
const AT_WORK: readonly RunState[] = ["planned", "running", "verifying"];

/**
 * The right to write a domain into a target, where no living coordinator holds it. Where a dead one did, its run is given
 * up first. Throws ReplayError, naming the holder, where it is alive.
 */
export async function acquireTarget(ctx: LedgerContext, subject: LeaseSubject): Promise<LeaseKeeper> {
  const lease = await LeaseKeeper.acquire(ctx.ledger, subject, ctx.log);
  try {
    if (lease.takenFrom) await giveUp(ctx, lease.takenFrom, subject.runId);
    return lease;
  } catch (error) {
    await lease.release();
    throw error;
  }
}

/**
 * As `acquireTarget`, and nobody writes there any more when it resolves: every other run of the domain and target that
 * nobody coordinates is given up, and its workers' last writes are awaited. `givenUp` are those runs.
 */
export async function acquireQuietTarget(
  ctx: LedgerContext,
  subject: LeaseSubject,
): Promise<{ lease: LeaseKeeper; givenUp: string[] }> {
  const lease = await LeaseKeeper.acquire(ctx.ledger, subject, ctx.log);
  try {
    const runs = await ctx.ledger.listRuns();
    const left = runs.filter((run) => {
      const { domain } = run.settings;
      if (run.id === lease.takenFrom) return isUnfinished(run);
      return domain === subject.domain && targetAt(run.settings, subject.target) >= 0 && AT_WORK.includes(run.state);
    });
    const fenced: number[] = [];
    for (const { id } of left) fenced.push(await giveUp(ctx, id, subject.runId));
    if (fenced.some((units) => units > 0)) await sleep(FENCED_WRITES_MS);
    return { lease, givenUp: left.map(({ id }) => id) };
  } catch (error) {
    await lease.release();
    throw error;
  }
}

/** Ends a run whose coordinator is dead, so that none of its workers writes any more; how many units were at work. */
async function giveUp({ ledger, log }: LedgerContext, runId: string, successor: string): Promise<number> {
  const run = await ledger.getRun(runId);
  if (!run || run.record.state === "completed" || run.record.state === "cancelled") return 0;
  log.warn({ run: runId, successor }, "the run's coordinator is gone; it is given up");
  const reason = `Its coordinator is gone, and ${holderText(successor)} took over its domain and target.`;
  await ledger.changeRun(runId, (record) =>
    isUnclaimable(record) ? null : { ...moveRun(record, "failed", reason), endedAt: new Date().toISOString() },
  );
  return fenceUnits({ ledger }, runId);
}
