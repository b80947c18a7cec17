import { describe, expect, it } from "vitest";
import { aggregate } from "./aggregate.ts";
import { encoded, fold } from "./fold.fixture.ts";

describe("the aggregate projection", () => {
  it("says how many events came, from which to which", () => {
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
    });
  });

  it("stays small whatever the number of events and types", () => {
    const many = Array.from({ length: 1_000 }, (_, i) => [`Type${i}`, {}] as const);
    const value = encoded(aggregate, fold(aggregate, many));
    expect(value).toMatchObject({ events: 1_000, last_event_type: "Type999" });
    expect(JSON.stringify(value).length).toBeLessThan(400);
  });
});
