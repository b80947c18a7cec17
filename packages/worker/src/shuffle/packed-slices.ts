import { setTimeout as sleep } from "node:timers/promises";
import { type PackedForUnit, type Plan, ReplayError, type UnitRecord } from "@cim-replay/core";
import type { Ledger } from "@cim-replay/nats";

const LOOK_EVERY_MS = 150;
/** A slice that nobody packs for so long may be waiting for the very place of who waits for it. */
const NOBODY_PACKS_MS = 2_000;

/** The unit's next slice is not packed, and nobody is at it: the unit is given back, so that its place is free. No error. */
export class NotPackedError extends ReplayError {
  override readonly name = "NotPackedError";
}

/** One slice's segments for one unit. */
export interface PackedSlice extends PackedForUnit {
  readonly slice: number;
  readonly epoch: number;
}

/**
 * The slice's segments for the unit, as soon as they are all there. Throws NotPackedError where its packing has failed, or where
 * nobody comes to do it; `signal.reason`.
 */
export async function packedSlice(
  ledger: Ledger,
  plan: Plan,
  place: { slice: number; unit: string },
  signal: AbortSignal,
): Promise<PackedSlice> {
  const id = plan.sliceUnits.find(({ slice }) => slice === place.slice)?.id ?? "";
  let heartbeat = Number.NaN;
  let seenAt = performance.now();
  for (;;) {
    signal.throwIfAborted();
    const record = (await ledger.getUnit(plan.runId, id))?.record;
    if (record?.state === "done") return packedFor(record, place);
    if (!record || record.state === "failed") throw new NotPackedError(`Slice ${place.slice} cannot be packed.`);
    if (record.state === "running" && record.heartbeat !== heartbeat) seenAt = performance.now();
    heartbeat = record.heartbeat;
    const patienceMs = record.state === "running" ? 2 * NOBODY_PACKS_MS : NOBODY_PACKS_MS;
    if (performance.now() - seenAt > patienceMs) throw new NotPackedError(`Nobody packs slice ${place.slice} now.`);
    await sleep(LOOK_EVERY_MS);
  }
}

function packedFor(record: UnitRecord, { slice, unit }: { slice: number; unit: string }): PackedSlice {
  const packed = record.packed.find((each) => each.unit === unit);
  if (packed) return { ...packed, slice, epoch: record.epoch };
  throw new ReplayError(
    `Cannot fold unit ${unit} of run ${record.runId}: slice unit ${record.id} has packed nothing for it. Start a new run, and report this.`,
  );
}
