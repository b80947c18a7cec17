import type { DeletedSequences, Plan, UnitRecord } from "@cim-replay/core";
import type { Discrepancies } from "./discrepancies.ts";

/**
 * The table of slices and partitions, as those who packed and those who folded wrote it: each slice has one reader, who accounts for
 * all of its sequences, and what every cell was given by its slice is what came to its partition. `deleted` as the server has it
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
  for (const planned of plan.units) {
    const folder = byId.get(planned.id);
    if (folder) checkCells(plan, planned.partitions, folder, byId, found);
  }
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

/** `at` a unit's place of each of its partitions. */
function checkCells(
  plan: Plan,
  partitions: readonly number[],
  folder: UnitRecord,
  byId: ReadonlyMap<string, UnitRecord>,
  found: Discrepancies,
): void {
  const routedOf = (unit: string) => partitions.map((index) => byId.get(unit)?.deliveredByPartition[index] ?? 0);
  let folded = 0;
  for (const { id, slice } of plan.sliceUnits) {
    const routed = routedOf(id).reduce((sum, events) => sum + events, 0);
    const came = folder.deliveredBySlice[slice] ?? 0;
    const packed = byId.get(id)?.packed.find(({ unit }) => unit === folder.id)?.events;
    folded += came;
    if (routed === came && packed === came) continue;
    found.add(
      "unit",
      `Unit ${folder.id} was handed ${came} events of slice ${slice}; ${routed} were routed to it and ${packed ?? "none"} packed.`,
      { sequence: plan.slices[slice]?.fromSeq ?? 0 },
    );
  }
  const { deleted: gone, foreign, elsewhere } = folder.counts;
  if (gone + foreign + elsewhere > 0) {
    found.add("unit", `Unit ${folder.id} counts ${gone + foreign + elsewhere} messages that no segment holds.`);
  }
  if (folded !== folder.counts.delivered) {
    found.add("unit", `Unit ${folder.id} was handed ${folder.counts.delivered} events, ${folded} by slices.`);
  }
  for (const [at, index] of partitions.entries()) {
    const routed = plan.sliceUnits.reduce((sum, { id }) => sum + (routedOf(id)[at] ?? 0), 0);
    const came = folder.contentByPartition[at]?.events ?? 0;
    if (routed === came) continue;
    found.add("unit", `Partition ${index} was handed ${came} events, the slices have ${routed} of it.`, {
      partition: index,
    });
  }
}
