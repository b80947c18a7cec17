import { type Plan, ReplayError, SourceChangedError, type UnitRecord } from "@cim-replay/core";

/**
 * Do slices and partitions add up? Every slice unit must account for every sequence of its slice, and every unit that folds must have
 * been handed, of every slice and in every partition, just what was routed there. Throws, naming the unit, where not.
 */
export function assertShuffleCloses(plan: Plan, units: readonly UnitRecord[]): void {
  const slices = plan.sliceUnits.map(({ id, slice }) => ({ slice, record: recordOf(units, id) }));
  for (const { slice, record } of slices) assertSliceCloses(plan, slice, record);
  const deleted = slices.reduce((sum, { record }) => sum + record.counts.deleted, 0);
  if (deleted !== plan.deleted.count) {
    throw new SourceChangedError(
      `Cannot account for the slices: ${deleted} sequences were deleted when they were read, ${plan.deleted.count} when the run was planned. Start a new run.`,
    );
  }
  for (const { id, partitions } of plan.units) {
    const record = recordOf(units, id);
    for (const { slice, record: packed } of slices) {
      const routed = partitions.reduce((sum, index) => sum + (packed.deliveredByPartition[index] ?? 0), 0);
      assertSame(id, `of slice ${slice}`, routed, record.deliveredBySlice[slice] ?? 0);
    }
    for (const [at, index] of partitions.entries()) {
      const routed = slices.reduce((sum, { record: packed }) => sum + (packed.deliveredByPartition[index] ?? 0), 0);
      assertSame(id, `of partition ${index}`, routed, record.contentByPartition[at]?.events ?? 0);
    }
  }
}

function assertSliceCloses({ slices }: Plan, at: number, { id, counts, deliveredByPartition }: UnitRecord): void {
  const size = (slices[at]?.toSeq ?? 0) - (slices[at]?.fromSeq ?? 0) + 1;
  const routed = deliveredByPartition.reduce((sum, events) => sum + events, 0);
  if (counts.delivered + counts.deleted === size && routed === counts.elsewhere) return;
  throw new SourceChangedError(
    `Cannot account for slice unit ${id}: ${counts.delivered} delivered and ${counts.deleted} deleted are not the ${size} sequences ` +
      `of its slice, or ${routed} events by partitions are not the ${counts.elsewhere} of the domain. Start a new run.`,
  );
}

function assertSame(unit: string, what: string, routed: number, came: number): void {
  if (routed === came) return;
  throw new SourceChangedError(
    `Cannot account for unit ${unit}: ${routed} events ${what} were packed for it, ${came} came. Start a new run.`,
  );
}

function recordOf(units: readonly UnitRecord[], id: string): UnitRecord {
  const record = units.find((unit) => unit.id === id);
  if (record) return record;
  throw new ReplayError(`Cannot account for unit ${id}: the ledger has no record of it.`);
}
