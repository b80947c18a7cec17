import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { AggregateTable } from "./aggregate-table.ts";
import { EntriesDigests } from "./entries-digest.ts";

const SHA = "0123456789abcdef".repeat(4);
const NOTHING = createHash("sha256").digest("hex");

function tableOf(rows: readonly [id: string, partition: number, lastSeq: number, events: number][]): AggregateTable {
  const table = new AggregateTable("graph");
  for (const [id, partition, lastSeq, events] of rows) Object.assign(table.add(id, id, partition), { lastSeq, events });
  return table;
}

/** Of those that are named. */
function digestsOf(table: AggregateTable, keys: readonly string[], partitions: number) {
  const digests = new EntriesDigests(partitions);
  for (const aggregate of table.sorted()) if (keys.includes(aggregate.key)) digests.add(aggregate, SHA);
  return digests.end();
}

describe("EntriesDigests", () => {
  it("hash each partition's entries in the order of their keys", () => {
    const table = tableOf([
      ["b", 0, 2 ** 40, 7],
      ["a", 0, 3, 1],
      ["c", 1, 5, 2],
      ["parked", 1, 6, 1],
    ]);
    const record = (key: string, tail: string) =>
      Buffer.concat([Buffer.from([0, 0, 0, key.length]), Buffer.from(key), Buffer.from(SHA + tail, "hex")]);
    const expected = createHash("sha256")
      .update(record("graph.a", "000000000000000300000001"))
      .update(record("graph.b", "000001000000000000000007"))
      .digest("hex");
    const [first, second, third] = digestsOf(table, ["graph.a", "graph.b", "graph.c"], 3);
    expect(first).toEqual({ entries: 2, sha256: expected });
    expect(second?.entries).toBe(1);
    expect(third).toEqual({ entries: 0, sha256: NOTHING });
  });

  it("do not depend on the order in which aggregates came", () => {
    const rows: [string, number, number, number][] = [
      ["x", 0, 1, 1],
      ["é", 0, 2, 1],
      ["y", 0, 3, 1],
    ];
    const digest = (some: typeof rows) => {
      const table = tableOf(some);
      return digestsOf(
        table,
        table.all().map(({ key }) => key),
        1,
      );
    };
    expect(digest(rows)).toEqual(digest(rows.toReversed()));
  });
});
