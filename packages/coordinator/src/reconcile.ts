import {
  type Partition,
  type Plan,
  planFor,
  ReplayError,
  SourceChangedError,
  unitFor,
  type UnitRecord,
} from "@cim-replay/core";
import { assertShuffleCloses } from "./reconcile-shuffle.ts";
import { deletedWithin, deletionsSha256, type NatsClient, streamFacts } from "@cim-replay/nats";

/**
 * Does it all add up? Every unit must account for every message it was handed, every partition must have the events that
 * the server's subject index counted, and the stream must still be the one that was planned. Throws, naming the
 * partition or unit and the cause, where it does not.
 */
export async function reconcile(client: NatsClient, plan: Plan, units: readonly UnitRecord[]): Promise<void> {
  const targets = [plan.target, ...(plan.otherTargets ?? [])];
  for (const [at, { bucket }] of targets.entries()) {
    const seen = units.map((unit) => unitFor(unit, at));
    assertTargetCloses(planFor(plan, at), seen, targets.length > 1 ? ` of bucket ${bucket}` : "");
  }
  await assertSameSource(client, plan);
}

/** `where`: which target it is, in words; empty where there is one only. */
function assertTargetCloses(plan: Plan, units: readonly UnitRecord[], where: string): void {
  for (const unit of units) assertUnitCloses(plan, unit);
  if (plan.source.kind === "shuffle") assertShuffleCloses(plan, units);
  for (const planned of plan.units) {
    const unit = units.find(({ id }) => id === planned.id);
    if (!unit) throw new ReplayError(`Cannot account for unit ${planned.id}: the ledger has no record of it.`);
    for (const [at, index] of planned.partitions.entries()) {
      const partition = plan.partitions[index];
      if (partition) assertPartition(partition, unit, { at, where });
    }
  }
}

function assertUnitCloses(plan: Plan, unit: UnitRecord): void {
  const { counts } = unit;
  const accounted =
    counts.foreign +
    counts.elsewhere +
    counts.filtered +
    counts.alreadyApplied +
    counts.applied +
    counts.quarantined +
    counts.parked;
  if (accounted !== counts.delivered) {
    throw new ReplayError(
      `Cannot account for unit ${unit.id}: ${counts.delivered} messages were delivered, ${accounted} are accounted for. ` +
        "Start a new run, and report this.",
    );
  }
  if (plan.read.filterSubjects.length > 0 || plan.source.kind === "shuffle") return;
  const size = plan.range.toSeq - plan.range.fromSeq + 1;
  const bySlices = unit.deliveredBySlice.reduce((sum, delivered) => sum + delivered, 0);
  if (counts.delivered + counts.deleted === size && bySlices === counts.delivered) return;
  throw new SourceChangedError(
    `Cannot account for unit ${unit.id}: ${counts.delivered} delivered (${bySlices} by slices) and ${counts.deleted} deleted ` +
      `are not the ${size} sequences of its range. Start a new run.`,
  );
}

function assertPartition(
  partition: Partition,
  unit: UnitRecord,
  { at, where }: { readonly at: number; readonly where: string },
): void {
  const { expected } = partition;
  if (!expected) return;
  const delivered = unit.deliveredByPartition[at] ?? 0;
  if (delivered < expected.minEvents || delivered > expected.maxEvents) {
    const wanted =
      expected.minEvents === expected.maxEvents
        ? `${expected.maxEvents}`
        : `${expected.minEvents} to ${expected.maxEvents}`;
    throw new SourceChangedError(
      `Cannot account for partition ${partition.index}${where}: the server's subject index has ${wanted} events of it, ${delivered} came. ` +
        "Messages were deleted under the run, or older entries lack events (skipped ones, too): rebuild with --from-beginning.",
    );
  }
}

async function assertSameSource(client: NatsClient, plan: Plan): Promise<void> {
  const now = await streamFacts(client, plan.stream.name);
  const changed = (what: string) =>
    new SourceChangedError(`Cannot trust the run: stream ${plan.stream.name} ${what} while it ran. Start a new one.`);
  if (!now) throw changed("was deleted");
  if (now.created !== plan.stream.created) throw changed("was deleted and made again");
  if (now.lastSeq < plan.stream.lastSeq) throw changed(`went back to sequence ${now.lastSeq}`);
  if (now.firstSeq > plan.range.fromSeq && now.firstSeq > plan.stream.firstSeq) {
    throw changed(`lost its messages before sequence ${now.firstSeq}`);
  }
  if (now.numDeleted === 0 && plan.deleted.count === 0) return;
  const deleted = await deletedWithin(client, plan.stream.name, plan.range);
  const sha256 = deletionsSha256(deleted);
  if (sha256 === plan.deleted.sha256) return;
  const some = deleted.ranges
    .slice(0, 3)
    .map(({ fromSeq, toSeq }) => (fromSeq === toSeq ? fromSeq : `${fromSeq} to ${toSeq}`));
  const more = deleted.ranges.length > some.length ? ", …" : "";
  throw changed(
    `lost messages (${plan.deleted.count} sequences were deleted before, ${deleted.count} are now: ${some.join(", ")}${more})`,
  );
}
