import { isAscii } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AggregateTable } from "./aggregate-table.ts";

describe("AggregateTable", () => {
  it("numbers aggregates as they come and finds them by routing key", () => {
    const table = new AggregateTable("graph");
    table.add("__proto__", "__proto__", 0);
    table.add("k", "an id.with=signs", 1);
    expect(table.size).toBe(2);
    expect(table.get("__proto__")).toMatchObject({ index: 0, key: "graph.__proto__", state: undefined });
    expect(table.get("k")).toBe(table.at(1));
    expect(table.at(1)).toMatchObject({ id: "an id.with=signs", key: "graph.an=20id=2Ewith=3Dsigns", partition: 1 });
    expect([table.get("constructor"), table.at(2)]).toEqual([undefined, undefined]);
  });

  it("finds by the bytes of a routing key whatever it finds by ASCII text, and nothing else", () => {
    const table = new AggregateTable("graph");
    const key = fc.oneof(fc.uuid(), fc.string({ minLength: 1 }), fc.constantFrom("a", "aa", "é", "__proto__"));
    const keys =
      fc.sample(fc.uniqueArray(key, { minLength: 3_000, maxLength: 5_000 }), { numRuns: 1, seed: 3 })[0] ?? [];
    const [known, unknown] = [keys.slice(0, -500), keys.slice(-500)];
    for (const each of known) table.add(each, each, 0);
    const find = (text: string) => {
      const bytes = Buffer.from(`before.${text}.after`);
      return table.find(bytes, { at: 7, end: bytes.length - 6 });
    };
    for (const each of known) expect(find(each)).toBe(isAscii(Buffer.from(each)) ? table.get(each) : undefined);
    for (const each of unknown) expect(find(each)).toBeUndefined();
  });

  it("hands out each changed aggregate once, and again after its next change", () => {
    const table = new AggregateTable("graph");
    const [a, b] = ["a", "b"].map((id) => table.add(id, id, 0));
    if (!a || !b) throw new Error("no aggregates");
    for (const each of [b, a, b]) table.markChanged(each);
    expect(table.takeChanged()).toEqual([b, a]);
    expect(table.takeChanged()).toEqual([]);
    table.markChanged(a);
    expect(table.takeChanged()).toEqual([a]);
  });

  it("knows its hottest aggregate whether it changed since the last checkpoint, before it, or was restored from one", () => {
    const table = new AggregateTable("graph");
    const add = (id: string, events: number) => Object.assign(table.add(id, id, 0), { events });
    expect(table.hottest).toBeNull();
    table.restored(add("restored", 5));
    expect(table.hottest).toEqual({ aggregateId: "restored", events: 5 });
    const changed = add("changed", 7);
    table.markChanged(changed);
    expect(table.hottest).toEqual({ aggregateId: "changed", events: 7 });
    table.takeChanged();
    table.markChanged(add("cool", 1));
    expect(table.hottest).toEqual({ aggregateId: "changed", events: 7 });
    changed.events += 1;
    table.markChanged(changed);
    expect(table.hottest).toEqual({ aggregateId: "changed", events: 8 });
  });
});
