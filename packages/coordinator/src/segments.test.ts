import { newUnitRecord, type UnitRecord } from "@cim-replay/core";
import { runOf } from "@cim-replay/testkit";
import { expect, it } from "vitest";
import { toPackAgain } from "./segments.ts";

const unit = (id: string, changes: Partial<UnitRecord> = {}): UnitRecord => ({
  ...newUnitRecord("r", id, 1, 1, id.startsWith("s") ? "slice" : "partition"),
  state: "done",
  ...changes,
});
const split = unit("u0", {
  state: "split",
  splitInto: [
    { id: "u0a", partitions: [0] },
    { id: "u0b", partitions: [1] },
  ],
});
const slice = unit("s0");
const failed = runOf("r", { state: "failed" });

it.each([
  ["a unit has still to fold", [unit("u0", { state: "failed" })], true],
  ["all have folded, and it was the certificate that failed", [unit("u0")], false],
  ["a unit was split, and those that went on have folded", [split, unit("u0a"), unit("u0b")], false],
  ["one of those has not", [split, unit("u0a"), unit("u0b", { state: "pending" })], true],
  ["a unit was split, and not all of those are there yet that go on", [split, unit("u0a")], true],
])("the slices of a failed run are packed again where somebody reads them: %s", (_, units, isNeeded) => {
  expect(toPackAgain(failed, [slice, ...units])(slice)).toEqual(
    isNeeded ? expect.objectContaining({ state: "pending", packed: [] }) : null,
  );
});

it("a slice of a run that did not fail stays packed", () => {
  expect(toPackAgain(runOf("r", { state: "paused" }), [slice, unit("u0", { state: "pending" })])(slice)).toBeNull();
});
