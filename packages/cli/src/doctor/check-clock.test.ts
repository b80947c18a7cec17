import { expect, test } from "vitest";
import { checkClock } from "./check-clock.ts";

test.each([
  [0, 1, "ok", "agree"],
  [-1_900, 1, "ok", "agree"],
  [2_600, 2_000, "ok", "agree"],
  [90_000, 3, "warning", "90.0 s ahead of"],
  [-5_400, 3, "warning", "5.4 s behind"],
])("a clock that is %i ms ahead, asked in %i ms: %s", (aheadMs, roundTripMs, verdict, words) => {
  expect(checkClock("NATS", aheadMs, roundTripMs)).toMatchObject({ verdict, found: expect.stringContaining(words) });
});
