import { runOf } from "@cim-replay/testkit";
import { describe, expect, it } from "vitest";
import { maySplit } from "./stragglers.ts";

describe("a run whose unit lags", () => {
  const run = runOf("r1");
  const settings = (changes: Partial<typeof run.settings>) => ({ ...run, settings: { ...run.settings, ...changes } });

  it("may have it split", () => {
    expect(maySplit(settings({ units: null }))).toBe(true);
  });

  it("keeps the number of units that was asked for", () => {
    expect(maySplit(settings({ units: 2 }))).toBe(false);
  });

  it("is not split where it is held back on purpose: more readers are what others are spared", () => {
    expect(maySplit(settings({ maxRate: 500 }))).toBe(false);
    expect(maySplit(settings({ maxBytesRate: 1_000_000 }))).toBe(false);
    const adaptive = { maxRate: 100, reason: "others suffer", peak: 1_000 };
    expect(maySplit({ ...settings({ adaptiveRate: true }), adaptive })).toBe(false);
  });
});
