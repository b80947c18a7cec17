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
});
