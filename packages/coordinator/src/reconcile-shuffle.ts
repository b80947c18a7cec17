import { type Plan, plannedIdOf, ReplayError, SourceChangedError, type UnitRecord } from "@cim-replay/core";

/**
 * Do slices and partitions add up? Every slice unit must account for every sequence of its slice, and pack for each unit of the plan
 * what it routed there; every unit that folds must have been handed, of every slice, just what was packed, and in every partition
 * just what was routed. Throws, naming the unit, where not.
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
  const folders = plan.units.map(({ id, partitions }) => ({ id, partitions, record: recordOf(units, id) }));
  for (const [packedFor, sharers] of Map.groupBy(folders, ({ record }) => plannedIdOf(record))) {
    const shared = sharers.flatMap(({ partitions }) => partitions);
    for (const { slice, record } of slices) {
      const packed = record.packed.find(({ unit }) => unit === packedFor)?.events ?? 0;
      assertPacked(record.id, packedFor, routedTo(record, shared), packed);
      for (const sharer of sharers) {
        assertCame(sharer.id, `of slice ${slice}`, packed, sharer.record.deliveredBySlice[slice] ?? 0);
      }
    }
  }
  for (const { id, partitions, record } of folders) {
    for (const [at, index] of partitions.entries()) {
      const routed = slices.reduce((sum, slice) => sum + routedTo(slice.record, [index]), 0);
      assertCame(id, `of partition ${index}`, routed, record.contentByPartition[at]?.events ?? 0);
    }
  }
}

function routedTo({ deliveredByPartition }: UnitRecord, partitions: readonly number[]): number {
  return partitions.reduce((sum, index) => sum + (deliveredByPartition[index] ?? 0), 0);
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

function assertPacked(sliceUnit: string, unit: string, routed: number, packed: number): void {
  if (routed === packed) return;
  throw new SourceChangedError(
    `Cannot account for slice unit ${sliceUnit}: ${routed} events are for unit ${unit}, ${packed} were packed. Start a new run.`,
  );
}

function assertCame(unit: string, what: string, packed: number, came: number): void {
  if (packed === came) return;
  throw new SourceChangedError(
    `Cannot account for unit ${unit}: ${packed} events ${what} were packed for it, ${came} came. Start a new run.`,
  );
}

function recordOf(units: readonly UnitRecord[], id: string): UnitRecord {
  const record = units.find((unit) => unit.id === id);
  if (record) return record;
  throw new ReplayError(`Cannot account for unit ${id}: the ledger has no record of it.`);
}
