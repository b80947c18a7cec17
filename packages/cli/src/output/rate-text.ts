import { formatCount, formatSize, ratesOf, type RunRecord } from "@cim-replay/core";

/** What holds a run back: `at most 5,000 events/s`, and why where the rate adapts; empty where nothing does. */
export function rateText(run: Pick<RunRecord, "settings" | "adaptive">): string[] {
  const { maxRate, maxBytesRate } = ratesOf(run);
  const limits = [
    maxRate === null ? null : `${formatCount(maxRate)} events/s`,
    maxBytesRate === null ? null : `${formatSize(maxBytesRate)}/s`,
  ].filter((limit) => limit !== null);
  const most = limits.length === 0 ? [] : [`at most ${limits.join(" and ")}`];
  if (!run.settings.adaptiveRate) return most;
  return [...most, run.adaptive?.reason ? `adaptive: ${run.adaptive.reason}` : "adaptive"];
}
