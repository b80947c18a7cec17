import { createHash } from "node:crypto";
import type { Aggregate } from "./aggregate-table.ts";

export interface EntriesDigest {
  readonly entries: number;
  /** Hex. */
  readonly sha256: string;
}

/**
 * One digest for the entries of each partition, as docs/certificate.md defines it: an entry that is altered afterwards,
 * its provenance too, no longer fits it. `sha256ByKey` holds an aggregate only where its entry is written.
 */
export function entriesDigests(
  aggregates: readonly Aggregate[],
  sha256ByKey: ReadonlyMap<string, string>,
  partitions: number,
): EntriesDigest[] {
  const byPartition = Array.from({ length: partitions }, (): Aggregate[] => []);
  for (const aggregate of aggregates) byPartition[aggregate.partition]?.push(aggregate);
  return byPartition.map((some) => digestOf(some.sort(byKey), sha256ByKey));
}

function digestOf(aggregates: readonly Aggregate[], sha256ByKey: ReadonlyMap<string, string>): EntriesDigest {
  const hash = createHash("sha256");
  let entries = 0;
  for (const { key, lastSeq, events } of aggregates) {
    const sha256 = sha256ByKey.get(key);
    if (sha256 === undefined) continue;
    const name = Buffer.from(key);
    const record = Buffer.alloc(4 + name.length + 32 + 8 + 4);
    record.writeUInt32BE(name.length, 0);
    name.copy(record, 4);
    record.write(sha256, 4 + name.length, "hex");
    record.writeBigUInt64BE(BigInt(lastSeq), 36 + name.length);
    record.writeUInt32BE(events, 44 + name.length);
    hash.update(record);
    entries += 1;
  }
  return { entries, sha256: hash.digest("hex") };
}

/** By UTF-16 code units, as JavaScript compares texts everywhere. */
function byKey(a: Aggregate, b: Aggregate): number {
  return a.key < b.key ? -1 : Number(a.key > b.key);
}
