import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { verifyNotes } from "./verify-notes.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it("says every few seconds how far a verification is, and nothing of a short one", () => {
  const said: string[] = [];
  const tell = verifyNotes((line) => said.push(line));
  for (let second = 0; second < 12; second++) {
    tell({ stage: second < 6 ? "entries" : "stream", done: second * 1_000, total: second < 6 ? null : 20_000 });
    vi.advanceTimersByTime(1_000);
  }
  expect(said).toEqual(["entries read: 5,000", "sequences read: 10,000 of 20,000"]);
});
