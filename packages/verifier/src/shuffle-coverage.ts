import { type DeletedSequences, type Plan, plannedIdOf, type UnitRecord } from "@cim-replay/core";
import type { Discrepancies } from "./discrepancies.ts";

/**
 * The table of slices and partitions, as those who packed and those who folded wrote it: each slice has one reader, who accounts for
 * all of its sequences; what it routed to a unit of the plan is what it packed for it and what each that folds for that unit was handed;
 * and what all slices routed to a partition is what came there. `deleted` as the server has it
 * still; null where it says something else by now.
 */
export function checkShuffle(
  plan: Plan,
  units: readonly UnitRecord[],
  deleted: DeletedSequences | null,
  found: Discrepancies,
): void {
  const byId = new Map(units.map((unit) => [unit.id, unit]));
  for (const [at, slice] of plan.slices.entries()) {
    const readers = plan.sliceUnits.filter((unit) => unit.slice === at);
    const reader = byId.get(readers[0]?.id ?? "");
    if (readers.length !== 1)
      found.add("plan", `Slice ${at} has ${readers.length} readers, not one.`, { sequence: slice.fromSeq });
    else if (reader) checkSlice(plan, at, reader, deleted, found);
  }
  for (const { id, slice } of plan.sliceUnits) {
    if (!plan.slices[slice]) found.add("plan", `Unit ${id} packs slice ${slice}, which the plan does not have.`);
  }
  const gone = plan.sliceUnits.reduce((sum, { id }) => sum + (byId.get(id)?.counts.deleted ?? 0), 0);
  if (gone !== plan.deleted.count) {
    found.add("unit", `The slices have ${gone} sequences deleted, the plan ${plan.deleted.count}.`);
  }
  const slices = plan.sliceUnits.map(({ id, slice }) => ({ slice, record: byId.get(id) }));
  const folders = plan.units.flatMap(({ id, partitions }) => {
    const record = byId.get(id);
    return record ? [{ partitions, record }] : [];
  });
  // Those that went on for a split unit were each handed all that was packed for that one.
  for (const [packedFor, sharers] of Map.groupBy(folders, ({ record }) => plannedIdOf(record))) {
    checkPacked(plan, slices, packedFor, sharers, found);
  }
  for (const folder of folders) checkPartitions(slices, folder, found);
}

interface PackedSlice {
  readonly slice: number;
  readonly record: UnitRecord | undefined;
}

/** A unit that folds, and its partitions in its own order. */
interface Folder {
  readonly partitions: readonly number[];
  readonly record: UnitRecord;
}

function checkSlice(
  plan: Plan,
  at: number,
  reader: UnitRecord,
  deleted: DeletedSequences | null,
  found: Discrepancies,
): void {
  const slice = plan.slices[at];
  if (!slice) return;
  const { id, counts, deliveredBySlice, deliveredByPartition, packed } = reader;
  const size = slice.toSeq - slice.fromSeq + 1;
  const say = (text: string) =>
    found.add("unit", `Unit ${id}, which packed slice ${at}, ${text}.`, { sequence: slice.fromSeq });
  if (counts.delivered + counts.deleted !== size) {
    say(`has ${counts.delivered} messages delivered and ${counts.deleted} deleted of ${size} sequences`);
  }
  if (deleted && counts.deleted !== deleted.countWithin(slice)) {
    say(`counts ${counts.deleted} deleted sequences where ${deleted.countWithin(slice)} are`);
  }
  if (deliveredBySlice.some((delivered, other) => delivered !== (other === at ? counts.delivered : 0))) {
    say(`was handed ${counts.delivered} messages, and by slices others`);
  }
  const routed = deliveredByPartition.reduce((sum, events) => sum + events, 0);
  const stored = packed.reduce((sum, { events }) => sum + events, 0);
  if (counts.delivered - counts.foreign !== routed || routed !== stored) {
    say(`had ${counts.delivered - counts.foreign} events of the domain, routed ${routed} and packed ${stored}`);
  }
}

function checkPacked(
  plan: Plan,
  slices: readonly PackedSlice[],
  packedFor: string,
  sharers: readonly Folder[],
  found: Discrepancies,
): void {
  const shared = sharers.flatMap(({ partitions }) => partitions);
  for (const { slice, record } of slices) {
    const routed = routedTo(record, shared);
    const packed = record?.packed.find(({ unit }) => unit === packedFor)?.events;
    for (const { record: folder } of sharers) {
      const came = folder.deliveredBySlice[slice] ?? 0;
      if (routed === came && packed === came) continue;
      found.add(
        "unit",
        `Unit ${folder.id} was handed ${came} events of slice ${slice}; ${routed} were routed to it and ${packed ?? "none"} packed.`,
        { sequence: plan.slices[slice]?.fromSeq ?? 0 },
      );
    }
  }
}

/** What was routed to each of its partitions came there, and the rest of what it was handed is nobody's but its sharers'. */
function checkPartitions(
  slices: readonly PackedSlice[],
  { partitions, record: folder }: Folder,
  found: Discrepancies,
): void {
  const { delivered, deleted: gone, foreign, elsewhere } = folder.counts;
  const handed = slices.reduce((sum, { slice }) => sum + (folder.deliveredBySlice[slice] ?? 0), 0);
  const own = slices.reduce((sum, { record }) => sum + routedTo(record, partitions), 0);
  if (gone + foreign > 0 || elsewhere !== handed - own) {
    found.add(
      "unit",
      `Unit ${folder.id} counts ${gone + foreign + elsewhere} messages that are not its own; segments hold ${handed - own}.`,
    );
  }
  if (handed !== delivered) {
    found.add("unit", `Unit ${folder.id} was handed ${delivered} events, ${handed} by slices.`);
  }
  for (const [at, index] of partitions.entries()) {
    const routed = slices.reduce((sum, { record }) => sum + routedTo(record, [index]), 0);
    const came = folder.contentByPartition[at]?.events ?? 0;
    if (routed === came) continue;
    found.add("unit", `Partition ${index} was handed ${came} events, the slices have ${routed} of it.`, {
      partition: index,
    });
  }
}

function routedTo(record: UnitRecord | undefined, partitions: readonly number[]): number {
  return partitions.reduce((sum, index) => sum + (record?.deliveredByPartition[index] ?? 0), 0);
}
