import { errorMessage, moveUnit, type RunRecord, type UnitRecord } from "@cim-replay/core";
import { SegmentStore } from "@cim-replay/nats";
import type { ReplayContext } from "./context.ts";
import { isUnclaimable } from "./fence.ts";

type StoreContext = Pick<ReplayContext, "client" | "log">;

/** Nobody reads the segments of a run that has ended; a failed one that is resumed packs them again. Failing to tidy up is no failure. */
export async function forgetSegments(ctx: StoreContext, runId: string): Promise<void> {
  try {
    await (await SegmentStore.open(ctx.client, { create: false }))?.removeRun(runId);
  } catch (error) {
    ctx.log.warn({ run: runId, error: errorMessage(error) }, "segments are left behind; they age out by themselves");
  }
}

/** What runs have left whose coordinator died before it could remove it. */
export async function sweepSegments(ctx: Pick<ReplayContext, "client" | "log" | "ledger">): Promise<void> {
  try {
    const store = await SegmentStore.open(ctx.client, { create: false });
    for (const runId of (await store?.runIds()) ?? []) {
      const run = await ctx.ledger.getRun(runId);
      if (!run || isUnclaimable(run.record)) await store?.removeRun(runId);
    }
  } catch (error) {
    ctx.log.warn({ error: errorMessage(error) }, "segments of ended runs are left behind; they age out by themselves");
  }
}

/** A failed run's segments are gone: where units still have to fold, all slices are packed again. */
export function toPackAgain(run: RunRecord, units: readonly UnitRecord[]): (unit: UnitRecord) => UnitRecord | null {
  const known = new Set(units.map(({ id }) => id));
  // A split unit is finished by its heirs, once there are any.
  const isOver = ({ state, splitInto }: UnitRecord) =>
    state === "done" || (state === "split" && splitInto.every(({ id }) => known.has(id)));
  const isNeeded = run.state === "failed" && units.some((unit) => unit.kind === "partition" && !isOver(unit));
  return (unit) => {
    if (!isNeeded || unit.kind !== "slice" || unit.state !== "done") return null;
    return { ...moveUnit(unit, "pending"), cursorSeq: 0, packed: [] };
  };
}
