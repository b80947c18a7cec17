import { MEMORY_LIMIT_BYTES } from "./measurements.ts";
import { medianOf, rateRatio, type Readings } from "./rounds.ts";

/** A promise about speed or size, and what was measured. `passed` is null where it was not. */
export interface Bar {
  readonly what: string;
  readonly bound: "at least" | "at most";
  readonly limit: number;
  readonly measured: number | null;
  readonly passed: boolean | null;
}

const MEBIBYTE = 1024 * 1024;

/** The bars hold for 1M events over 20k aggregates on two cores, with the flags left at their defaults. */
export function judge(readings: Readings): Bar[] {
  const ratio = (name: string, base: string) => rateRatio(readings, name, base);
  const peak = (name: string) => medianOf(readings, name, (reading) => reading.peakBytes);
  const [peakMain, peakLong] = [peak("flat, memory limit"), peak("long: flat, memory limit")];
  const slowdown = ratio("flat, no checkpoints", "flat, checkpoint every 10000");
  const seconds = (name: string) => medianOf(readings, name, (reading) => reading.seconds);
  const [bareFlat, countedFlat] = [seconds("flat, certify none"), seconds("flat, certify counts")];
  /** Verifying at full is what it adds to a run; compared with a whole run as it is by default, its own certificate included. */
  const verifying = (projection: string, replay: string) => {
    const [bare, certified, whole] = ["certify none", "certify full", replay].map((kind) =>
      seconds(`${projection}, ${kind}`),
    );
    return bare && certified && whole ? (certified - bare) / whole : null;
  };
  return [
    atLeast("flat, to the last acknowledged write, ratio to raw read", 0.4, ratio("flat, certify none", "raw read")),
    atLeast("graph, to the last acknowledged write, ratio to raw read", 0.3, ratio("graph, certify none", "raw read")),
    atMost(
      "share of a flat run's time that its certificate (counts) costs",
      0.15,
      bareFlat && countedFlat && (countedFlat - bareFlat) / countedFlat,
    ),
    atMost("verifying a flat run at full, to the run's time", 1, verifying("flat", "certify counts")),
    atMost("verifying a graph run at full, to the run's time", 1, verifying("graph", "certify none")),
    atLeast("flat, defaults to the best forced number of workers", 0.9, toBestForced(readings, "flat")),
    atLeast("graph, defaults to the best forced number of workers", 0.9, toBestForced(readings, "graph")),
    atLeast("flat, times a hand-written put per event", 20, ratio("flat, certify none", "hand-written put per event")),
    atLeast(
      "flat, times a hand-written fold, then put",
      1.5,
      ratio("flat, certify none", "hand-written fold, then put"),
    ),
    atMost(
      "seconds from start to the first unit at work",
      2,
      medianOf(readings, "flat", (r) => r.firstUnitSeconds),
    ),
    atLeast(
      "flat, watched in the dashboard to unwatched",
      0.97,
      ratio("flat, watched in the dashboard", "flat, certify none"),
    ),
    atMost("share of time that a checkpoint every 10000 events costs", 0.15, slowdown && slowdown - 1),
    atMost("worker's peak MiB, its limit", MEMORY_LIMIT_BYTES / MEBIBYTE, peakMain && peakMain / MEBIBYTE),
    atMost("worker's peak on a stream 4 times as long, ratio", 1.25, peakMain && peakLong && peakLong / peakMain),
  ];
}

function toBestForced(readings: Readings, projection: string): number | null {
  const ratios = ["1 worker", "2 workers"].map((forced) => rateRatio(readings, projection, `${projection}, ${forced}`));
  const known = ratios.filter((ratio) => ratio !== null);
  return known.length === 0 ? null : Math.min(...known);
}

function atLeast(what: string, limit: number, measured: number | null): Bar {
  return { what, bound: "at least", limit, measured, passed: measured === null ? null : measured >= limit };
}

function atMost(what: string, limit: number, measured: number | null): Bar {
  return { what, bound: "at most", limit, measured, passed: measured === null ? null : measured <= limit };
}
