import {
  isUnfinished,
  moveRun,
  type RunRecord,
  type RunSettings,
  type RunState,
  ReplayError,
  targetAt,
} from "@cim-replay/core";
import { type Ledger, sendControl } from "@cim-replay/nats";
import type { ReplayContext } from "./context.ts";

/** The newest run that fits; null where none does. */
export async function findRun(
  ledger: Ledger,
  wanted: { domain?: string; target?: string; unfinishedOnly?: boolean },
): Promise<RunRecord | null> {
  const runs = await ledger.listRuns();
  const fits = (run: RunRecord) =>
    (wanted.domain === undefined || run.settings.domain === wanted.domain) &&
    (wanted.target === undefined || targetAt(run.settings, wanted.target) >= 0) &&
    (!wanted.unfinishedOnly || isUnfinished(run));
  return runs.find(fits) ?? null;
}

/** Workers checkpoint and let go of their units; the run waits. */
export function pauseRun(ledger: Ledger, runId: string, reason = "Paused by pause-replay."): Promise<RunRecord> {
  return move(ledger, runId, "paused", reason);
}

/** A paused run goes on, where its coordinator is still there. */
export function continueRun(ledger: Ledger, runId: string): Promise<RunRecord> {
  return move(ledger, runId, "running", null);
}

/** Workers stop without writing more; entries that are written stay whole. Final. */
export async function cancelRun(ledger: Ledger, runId: string, reason: string): Promise<RunRecord> {
  return move(ledger, runId, "cancelled", reason);
}

/** All units at work checkpoint at their next chance. */
export function requestCheckpoint(ctx: Pick<ReplayContext, "client">, runId: string): void {
  sendControl(ctx.client, runId, { kind: "checkpoint" });
}

/** Workers look at it with every heartbeat; it is kept when the run is resumed. */
export async function tuneRun(
  ledger: Ledger,
  runId: string,
  rates: Partial<Pick<RunSettings, "maxRate" | "maxBytesRate" | "adaptiveRate">>,
): Promise<RunRecord> {
  return ledger.changeRun(runId, (run) => {
    const settings = { ...run.settings, ...rates };
    return { ...run, settings, adaptive: settings.adaptiveRate ? run.adaptive : null };
  });
}

async function move(ledger: Ledger, runId: string, to: RunState, reason: string | null): Promise<RunRecord> {
  if (!(await ledger.getRun(runId))) {
    throw new ReplayError(`Cannot find run ${runId}: the ledger has none of that id. See \`replay-list\`.`);
  }
  return ledger.changeRun(runId, (run) => {
    if (run.state === to) return null;
    const moved = moveRun(run, to, reason);
    return to === "cancelled" ? { ...moved, endedAt: new Date().toISOString() } : moved;
  });
}
