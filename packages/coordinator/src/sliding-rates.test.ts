import { expect, it } from "vitest";
import { SlidingRates, STILL } from "./sliding-rates.ts";

it("rates are over the window, and of one look there are none", () => {
  const rates = new SlidingRates(3_000);
  expect(rates.see({ events: 1_000, entries: 0 }, 0)).toEqual(STILL);
  expect(rates.see({ events: 1_500, entries: 10 }, 50)).toEqual(STILL);
  expect(rates.see({ events: 3_000, entries: 20 }, 2_000)).toEqual({ eventsPerSecond: 1_000, entriesPerSecond: 10 });
  // The first look has left the window.
  expect(rates.see({ events: 3_000, entries: 120 }, 4_000)).toEqual({ eventsPerSecond: 0, entriesPerSecond: 50 });
});

it("what goes back is no negative rate, and what was forgotten does not count", () => {
  const rates = new SlidingRates(3_000);
  rates.see({ events: 1_000, entries: 0 }, 0);
  expect(rates.see({ events: 400, entries: 0 }, 1_000)).toEqual(STILL);
  rates.forget();
  rates.see({ events: 500, entries: 0 }, 2_000);
  expect(rates.see({ events: 600, entries: 0 }, 3_000).eventsPerSecond).toBe(100);
});
