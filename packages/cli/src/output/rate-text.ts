import { formatCount, formatSize, type RunSettings } from "@cim-replay/core";

/** What holds a run back by request: `at most 5,000 events/s`; empty where nothing does. */
export function rateText({ maxRate, maxBytesRate }: Pick<RunSettings, "maxRate" | "maxBytesRate">): string[] {
  const limits = [
    maxRate === null ? null : `${formatCount(maxRate)} events/s`,
    maxBytesRate === null ? null : `${formatSize(maxBytesRate)}/s`,
  ].filter((limit) => limit !== null);
  return limits.length === 0 ? [] : [`at most ${limits.join(" and ")}`];
}
