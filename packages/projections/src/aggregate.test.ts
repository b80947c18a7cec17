import { describe, expect, it } from "vitest";
import { aggregate } from "./aggregate.ts";
import { encoded, fold } from "./fold.fixture.ts";

describe("the aggregate projection", () => {
  it("says how many events of which types came, from when to when", () => {
    const state = fold(aggregate, [
      ["PersonCreated", { name: "Ann", status: "new" }],
      ["PersonMoved", { name: 7, status: "moved" }],
      ["PersonMoved", null],
    ]);
    expect(encoded(aggregate, state)).toEqual({
      aggregate_id: "agg",
      domain: "test",
      aggregate_type: null,
      events: 3,
      first_event_type: "PersonCreated",
      first_event_at: "2026-01-01T00:00:00Z",
      last_event_type: "PersonMoved",
      last_event_at: "2026-01-01T00:00:02Z",
      last_sequence: 3,
      name: "Ann",
      status: "moved",
      types: { PersonCreated: 1, PersonMoved: 2 },
      other_types: 0,
    });
  });

  it("stays small whatever the number of types", () => {
    const state = fold(
      aggregate,
      Array.from({ length: 1_000 }, (_, i) => [`Type${i}`, {}] as const),
    );
    const value = encoded(aggregate, state);
    expect(Object.keys(value.types as object)).toHaveLength(32);
    expect(value).toMatchObject({ events: 1_000, other_types: 968, last_event_type: "Type999" });
  });

  it("takes __proto__ for a type like any other", () => {
    const value = encoded(
      aggregate,
      fold(aggregate, [
        ["__proto__", {}],
        ["__proto__", {}],
      ]),
    );
    expect(Object.entries(value.types as object)).toEqual([["__proto__", 2]]);
  });
});
