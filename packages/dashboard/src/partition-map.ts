import type { Plan, UnitRecord } from "@cim-replay/core";

export type PartitionState = "waiting" | "running" | "done" | "failed";

export interface MappedPartition {
  readonly index: number;
  readonly unit: string;
  readonly state: PartitionState;
  readonly fromKey: string | null;
  readonly toKey: string | null;
  /** By the server's subject index; null where ids are not in subjects. */
  readonly expectedEvents: number | null;
  /** Durable ones. */
  readonly deliveredEvents: number;
}

const STATES = { pending: "waiting", running: "running", done: "done", failed: "failed", split: "done" } as const;

/** Every partition of a plan with what has become of it, by its index. */
export function partitionMap({ partitions, units }: Plan, records: readonly UnitRecord[]): MappedPartition[] {
  const byId = new Map(records.map((record) => [record.id, record]));
  const mapped: MappedPartition[] = [];
  for (const { id, partitions: indexes } of units) {
    const record = byId.get(id);
    indexes.forEach((index, place) => {
      const partition = partitions[index];
      if (!partition) return;
      const { fromKey, toKey, expected } = partition;
      mapped.push({
        ...{ index, unit: id, fromKey, toKey },
        state: record ? STATES[record.state] : "waiting",
        expectedEvents: expected?.maxEvents ?? null,
        deliveredEvents: record?.deliveredByPartition[place] ?? 0,
      });
    });
  }
  return mapped.sort((a, b) => a.index - b.index);
}
