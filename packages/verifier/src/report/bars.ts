import type { RuleResult } from "../rules/validation.ts";

export interface Bar {
  readonly kind: "pass" | "error" | "warning" | "info" | "skip";
  readonly x: number;
  readonly width: number;
}

/** A rule's bar is as wide as this. */
const WIDTH = 1_000;
/** One entry of a million still has to be seen. */
const LEAST_WIDTH = 12;

/** What failed, what passed, and what was not asked, side by side. */
export function barsOf({ severity, checked, failed, skipped }: RuleResult): readonly Bar[] {
  const parts = [
    { kind: severity, count: failed },
    { kind: "pass", count: checked - failed },
    { kind: "skip", count: skipped },
  ] as const;
  const present = parts.filter(({ count }) => count > 0);
  const total = checked + skipped;
  const room = WIDTH - present.length * LEAST_WIDTH;
  let x = 0;
  return present.map(({ kind, count }) => {
    const bar = { kind, x: round(x), width: round(LEAST_WIDTH + (room * count) / total) };
    x += bar.width;
    return bar;
  });
}

function round(length: number): number {
  return Math.round(length * 100) / 100;
}
