import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { RepeatedIds } from "./repeated-ids.ts";

describe("RepeatedIds", () => {
  it("finds an id again, however often", () => {
    const ids = new RepeatedIds();
    expect(["a", "b", "a", "a", "", "b"].map((id) => ids.seen(id))).toEqual([false, false, true, true, false, true]);
  });

  it("takes no id for another", () => {
    const ids = new RepeatedIds();
    const distinct = [
      ...Array.from({ length: 200_000 }, () => randomUUID()),
      ...Array.from({ length: 200_000 }, (_, i) => `event-${i}`),
    ];
    expect(distinct.filter((id) => ids.seen(id))).toEqual([]);
  });

  it("finds most repeats within tens of thousands of events", () => {
    const ids = new RepeatedIds();
    const some = Array.from({ length: 20_000 }, (_, i) => `event-${i}`);
    for (const id of some) ids.seen(id);
    expect(some.filter((id) => ids.seen(id)).length).toBeGreaterThan(16_500);
  });
});
