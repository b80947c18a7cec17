import { moveUnit, type RunRecord } from "@cim-replay/core";
import type { ReplayContext } from "./context.ts";

/** True where no worker will take a unit of the run. */
export function isUnclaimable(run: RunRecord): boolean {
  return run.state === "completed" || run.state === "cancelled" || run.state === "failed";
}

/** Raises the epoch of all units at work: their workers' next write or heartbeat is refused. How many there were. */
export async function fenceUnits({ ledger }: Pick<ReplayContext, "ledger">, runId: string): Promise<number> {
  for (let fenced = 0; ; ) {
    const running = (await ledger.listUnits(runId)).filter(({ record }) => record.state === "running");
    const revisions = await Promise.all(
      running.map(({ record, revision }) =>
        ledger.putUnit({ ...moveUnit(record, "pending"), epoch: record.epoch + 1, owner: null }, revision),
      ),
    );
    fenced += revisions.filter((revision) => revision !== null).length;
    if (revisions.every((revision) => revision !== null)) return fenced;
  }
}

/** Gives back the units of a worker that is known to be dead. */
export async function releaseUnitsOf(ctx: ReplayContext, runId: string, workerId: string): Promise<void> {
  for (const { record, revision } of await ctx.ledger.listUnits(runId)) {
    if (record.state !== "running" || record.owner !== workerId) continue;
    await ctx.ledger.putUnit({ ...moveUnit(record, "pending"), owner: null }, revision);
  }
}
