import { isDeepStrictEqual } from "node:util";
import { emptyCounts, ReplayError } from "@cim-replay/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Aggregate, AggregateTable } from "./aggregate-table.ts";
import { anyState } from "./any-state.fixture.ts";
import { type CheckpointMeta, packCheckpoint, unpackCheckpoint } from "./checkpoint-codec.ts";

const meta: CheckpointMeta = {
  counts: { ...emptyCounts(), delivered: 12, applied: 9 },
  deliveredBySlice: [7, 5],
  deliveredByPartition: [9],
  firstParkedSeq: 4,
  parkedAggregates: 1,
  content: [{ events: 9, chain: "ab".repeat(32) }],
};
const MAX_BYTES = 1024 * 1024;

function tableOf(states: readonly unknown[]): AggregateTable {
  const table = new AggregateTable("graph");
  for (const [i, state] of states.entries()) {
    const facts = { state, events: i, lastSeq: i * 3, appliedUpToSeq: i, lastCid: i % 2 ? `cid-${i}` : null };
    Object.assign(table.add(`route-${i}`, `id-${i}`, i % 3), facts, {
      lastEnvelopeSequence: i % 2 ? i : null,
      parked: i % 5 === 4,
    });
  }
  return table;
}

function restore(chunks: readonly Uint8Array[], table = new AggregateTable("graph")) {
  const metas = chunks.map((chunk) => unpackCheckpoint(chunk, [table]));
  return { table, metas };
}

function packAll(table: AggregateTable): Uint8Array[] {
  return [...packCheckpoint([{ aggregates: table.all(), knownBelow: 0 }], meta, MAX_BYTES)];
}

describe("a packed checkpoint", () => {
  it("gives back any state of plain values, Maps and Sets, to the last bit of text", () => {
    fc.assert(
      fc.property(fc.array(anyState, { maxLength: 6 }), (states) => {
        const { table } = restore(packAll(tableOf(states)));
        const back = table.all().map(({ state }) => state);
        // isDeepStrictEqual tells a Map from an object, and an own key `__proto__` from a prototype.
        expect(isDeepStrictEqual(back, states)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it("gives back everything else that is known of an aggregate, and the meta with the first chunk", () => {
    const before = tableOf(Array.from({ length: 10_000 }, (_, i) => ({ name: `state ${i}`, nested: { i } })));
    const chunks = packAll(before);
    expect(chunks.length).toBeGreaterThan(3);
    const { table, metas } = restore(chunks);
    expect(table.all()).toEqual(before.all());
    expect(metas).toEqual([meta, ...chunks.slice(1).map(() => null)]);
  });

  it("gives back objects without prototype as such, so that no key is there before it is set", () => {
    const bare = (fields: object) => Object.assign(Object.create(null) as object, fields);
    const state = { types: bare({ constructor: 1, nested: bare({ a: [bare({})] }) }), plain: { a: 1 } };
    const back = restore(packAll(tableOf([state]))).table.at(0)?.state;
    expect(isDeepStrictEqual(back, state)).toBe(true);
  });

  it("holds an object without prototype that has a key toJSON", () => {
    const state = Object.assign(Object.create(null) as object, { toJSON: 1, fine: { a: [1] } });
    const { table } = restore(packAll(tableOf([state])));
    expect(table.at(0)?.state).toEqual({ toJSON: 1, fine: { a: [1] } });
  });

  it("keeps the names of aggregates out of later checkpoints, and needs the earlier ones to read those", () => {
    const table = tableOf(["a", "b"]);
    const base = packAll(table);
    const changed = table.at(1) as Aggregate;
    changed.state = "b, changed";
    const added = Object.assign(table.add("route-new", "id-new", 0), { state: "new" });
    const delta = [...packCheckpoint([{ aggregates: [changed, added], knownBelow: 2 }], meta, MAX_BYTES)];
    const { table: restored } = restore([...base, ...delta]);
    expect(restored.all()).toEqual(table.all());
    const names = (chunks: Uint8Array[]) => Buffer.concat(chunks).toString("latin1");
    expect(names(delta)).not.toContain("route-1");
    expect(() => restore(delta)).toThrow(/aggregate number 1, which no checkpoint before it introduced/);
  });

  it("refuses bytes that are no chunk of its own", () => {
    const chunks = packAll(tableOf([{ a: 1 }]));
    const hostile = [
      new Uint8Array(),
      Uint8Array.of(1),
      Uint8Array.of(2),
      Uint8Array.of(9, 1, 2, 3),
      Uint8Array.of(1, 0xc1),
      Buffer.concat([Uint8Array.of(1), Buffer.from("hello")]),
      ...chunks.map((chunk) => chunk.subarray(0, chunk.length - 1)),
    ];
    for (const bytes of hostile)
      expect(() => restore([bytes]), Buffer.from(bytes).toString("hex")).toThrow(ReplayError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          restore([bytes]);
        } catch (error) {
          expect(error).toBeInstanceOf(ReplayError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("keeps each chunk under the most that a message holds", () => {
    const states = Array.from({ length: 300 }, (_, i) => "x".repeat(i % 50 === 0 ? 3_000 : 10));
    const table = tableOf(states);
    const chunks = [...packCheckpoint([{ aggregates: table.all(), knownBelow: 0 }], meta, 4_000)];
    for (const chunk of chunks) expect(chunk.length).toBeLessThanOrEqual(4_000);
    expect(restore(chunks).table.all()).toEqual(table.all());
  });

  it("names the entry of a state that alone is too large", () => {
    const table = tableOf(["small", "x".repeat(5_000), "small"]);
    expect(() => [...packCheckpoint([{ aggregates: table.all(), knownBelow: 0 }], meta, 4_000)]).toThrow(
      /state of graph\.id-1: it packs to 5\d\d\d bytes, a message holds 4000.*--checkpoint-interval none/,
    );
  });

  it("refuses a state that would not come back, before it is lost", () => {
    expect(() => packAll(tableOf([{ at: new URL("http://a") }]))).toThrow(/graph\.id-0: state\.at is a URL/);
    const many: unknown[] = Array.from({ length: 1_000 }, (_, i) => ({ i, list: [{ i }] }));
    many[777] = { list: [{ act: () => 1 }] };
    expect(() => packAll(tableOf(many))).toThrow(/graph\.id-777: state\.list\[0\]\.act is a function/);
    many[777] = { list: [new (class Money {})()] };
    expect(() => packAll(tableOf(many))).toThrow(/graph\.id-777: state\.list\[0\] is a Money/);
  });
});
