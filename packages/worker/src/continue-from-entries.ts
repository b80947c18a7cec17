import { type CompiledProjection, errorMessage, type Plan, type Provenance, ReplayError } from "@cim-replay/core";
import { type NatsClient, readEntries } from "@cim-replay/nats";
import type { Aggregate } from "./aggregate-table.ts";
import type { WorkingSet } from "./working-set.ts";

interface KnownEntry {
  readonly partition: number;
  readonly state: unknown;
  readonly provenance: Provenance;
}

/** What the target holds already, for a run that goes on from it: by entry key. */
export interface ExistingEntries {
  /** Returns how many events the entry says it holds; 0 where there is none. */
  seed(aggregate: Aggregate): number;
  /** By partition of the unit: events in the entries of all but these aggregates. */
  eventsOfOthers(aggregates: Iterable<Aggregate>): number[];
}

/** Reads the domain's entries that lie in the unit's partitions. Throws ReplayError where one cannot be gone on from. */
export async function readExistingEntries(options: {
  client: NatsClient;
  plan: Plan;
  projection: CompiledProjection;
  partitions: number;
  partitionOfKey: (entryKey: string) => number;
  working: WorkingSet;
}): Promise<ExistingEntries> {
  const { client, plan, working } = options;
  const known = working.map<KnownEntry>();
  for await (const batch of readEntries(client, plan.target.bucket, `${plan.domain}.>`)) {
    for (const entry of batch) {
      const partition = options.partitionOfKey(entry.key);
      if (partition < 0) continue;
      const { provenance } = entry;
      if (!provenance) {
        throw new ReplayError(
          `Cannot go on from entry ${entry.key}: it has no provenance, so nobody knows which events it holds. ` +
            "Rebuild with --from-beginning.",
        );
      }
      const state = decodeState(options.projection, entry.key, entry.value);
      known.set(entry.key, { partition, state, provenance });
    }
    await working.relieve(0);
  }
  return {
    seed: (aggregate) => {
      const entry = known.get(aggregate.key);
      if (!entry) return 0;
      aggregate.state = entry.state;
      aggregate.events = entry.provenance.events;
      aggregate.lastSeq = entry.provenance.lastSeq;
      aggregate.appliedUpToSeq = entry.provenance.lastSeq;
      // Folded once; a later pass over the same unit must not see a state that this one changed.
      known.delete(aggregate.key);
      return entry.provenance.events;
    },
    eventsOfOthers: (aggregates) => {
      // Those that a checkpoint brought back were not seeded here.
      for (const { key } of aggregates) known.delete(key);
      const events = new Array<number>(options.partitions).fill(0);
      for (const [, { partition, provenance }] of known.entries()) {
        events[partition] = (events[partition] ?? 0) + provenance.events;
      }
      return events;
    },
  };
}

function decodeState(projection: CompiledProjection, key: string, value: Uint8Array): unknown {
  try {
    return projection.decode(JSON.parse(Buffer.from(value).toString("utf8")));
  } catch (error) {
    throw new ReplayError(
      `Cannot go on from entry ${key}: ${errorMessage(error)}. Rebuild the domain with --from-beginning.`,
      { cause: error },
    );
  }
}
