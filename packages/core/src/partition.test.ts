import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignPartitions, chooseUnits } from "./cost.ts";
import { partitionRouterOfBytes } from "./partition-bytes.ts";
import { type KeyCount, partitionHashesEvenly, partitionKeys, partitionOfOne, partitionRouter } from "./partition.ts";

const counts = fc
  .array(fc.tuple(fc.string({ minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 50 })), { maxLength: 60 })
  .map((pairs) => new Map<string, KeyCount>(pairs.map(([key, n]) => [key, { minEvents: n, maxEvents: n }])));

describe("partitions", () => {
  it("tile the keys: each key there is, and each there is not, lies in exactly one", () => {
    fc.assert(
      fc.property(counts, fc.integer({ min: 1, max: 9 }), fc.array(fc.string()), (byKey, parallel, others) => {
        const plan = partitionKeys(byKey, parallel);
        expect(plan.partitions.length).toBeLessThanOrEqual(parallel);
        expect(plan.partitions[0]?.fromKey).toBeNull();
        expect(plan.partitions.at(-1)?.toKey).toBeNull();
        for (const [i, { toKey }] of plan.partitions.slice(0, -1).entries()) {
          expect(plan.partitions[i + 1]?.fromKey).toBe(toKey);
        }
        const route = partitionRouter(plan);
        for (const key of [...byKey.keys(), ...others]) expect(route(key)).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it("expect just the events of the keys that are routed to them", () => {
    fc.assert(
      fc.property(counts, fc.integer({ min: 1, max: 9 }), (byKey, parallel) => {
        const plan = partitionKeys(byKey, parallel);
        const route = partitionRouter(plan);
        const events = plan.partitions.map(() => 0);
        const aggregates = plan.partitions.map(() => 0);
        for (const [key, { maxEvents }] of byKey) {
          const at = route(key);
          events[at] = (events[at] ?? 0) + maxEvents;
          aggregates[at] = (aggregates[at] ?? 0) + 1;
        }
        expect(plan.partitions.map(({ expected }) => expected?.maxEvents)).toEqual(events);
        expect(plan.partitions.map(({ expected }) => expected?.aggregates)).toEqual(aggregates);
      }),
    );
  });

  it("leave a hot aggregate alone", () => {
    const byKey = new Map<string, KeyCount>();
    for (let i = 0; i < 100; i++) byKey.set(`a${i}`, { minEvents: 1, maxEvents: 1 });
    byKey.set("a50x", { minEvents: 1_000, maxEvents: 1_000 });
    const { partitions } = partitionKeys(byKey, 3);
    const hot = partitions.find(({ expected }) => expected && expected.maxEvents >= 1_000);
    expect(hot?.expected).toEqual({ minEvents: 1_000, maxEvents: 1_000, aggregates: 1 });
  });

  it("go by hash where there are too many keys to sort, with the same exact counts", () => {
    const byKey = new Map<string, KeyCount>();
    for (let i = 0; i < 100_001; i++) byKey.set(`key-${i}`, { minEvents: 1, maxEvents: 2 });
    const plan = partitionKeys(byKey, 4);
    expect(plan.partitionBy).toBe("hash");
    const route = partitionRouter(plan);
    const events = [0, 0, 0, 0];
    for (const key of byKey.keys()) events[route(key)] = (events[route(key)] ?? 0) + 2;
    expect(plan.partitions.map(({ expected }) => expected?.maxEvents)).toEqual(events);
    for (const total of events) expect(total).toBeGreaterThan(40_000);
  });

  it("of equal hash ranges cover every key", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 33 }), fc.string(), (parallel, key) => {
        expect(partitionRouter(partitionHashesEvenly(parallel))(key)).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it("of one aggregate hold that aggregate and no other", () => {
    const route = partitionRouter(partitionOfOne("abc", null));
    expect(["abc", "abcd", "ab", "abb", "abd"].map(route)).toEqual([0, -1, -1, -1, -1]);
  });
});

describe("units", () => {
  it("take each partition once", () => {
    fc.assert(
      fc.property(counts, fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 12 }), (byKey, parallel, units) => {
        const { partitions } = partitionKeys(byKey, parallel);
        const assigned = assignPartitions(partitions, units).flatMap((unit) => unit.partitions);
        expect(assigned.sort((a, b) => a - b)).toEqual(partitions.map(({ index }) => index));
      }),
    );
  });

  it("are one where reading is dear, several where folding is", () => {
    const load = { messages: 1_000_000, events: 1_000_000, maxUnits: 4, cores: 4 };
    expect(chooseUnits(load, { serverRead: 3.5, clientRead: 3, fold: 0.1 }).units).toBe(1);
    expect(chooseUnits(load, { serverRead: 3.5, clientRead: 3, fold: 100 }).units).toBeGreaterThan(2);
  });
});

describe("the router of bytes", () => {
  const key = fc.oneof(
    fc.string({ minLength: 1, maxLength: 12 }),
    fc.string({ unit: "binary", minLength: 1, maxLength: 6 }),
  );

  it("says what the router of texts says, or nothing where the key is not ASCII", () => {
    fc.assert(
      fc.property(
        counts,
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        fc.array(key),
        (byKey, parallel, hash, others) => {
          const plan = hash ? partitionHashesEvenly(parallel) : partitionKeys(byKey, parallel);
          const [route, routeBytes] = [partitionRouter(plan), partitionRouterOfBytes(plan)];
          for (const text of [...byKey.keys(), ...others]) {
            const bytes = new TextEncoder().encode(`events.${text}.x`);
            const isAscii = bytes.every((byte) => byte < 0x80);
            const found = routeBytes(bytes, { at: 7, end: bytes.length - 2 });
            expect(found).toBe(isAscii ? route(text) : undefined);
          }
        },
      ),
    );
  });

  it("finds no partition for what lies in none", () => {
    const plan = partitionOfOne("b", null);
    const bytes = new TextEncoder().encode("abc");
    const routeBytes = partitionRouterOfBytes(plan);
    expect([0, 1, 2].map((at) => routeBytes(bytes, { at, end: at + 1 }))).toEqual([-1, 0, -1]);
  });
});
