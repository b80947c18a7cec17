import { MEMORY_LIMIT_BYTES } from "./cases.ts";
import { HUGE_AGGREGATES } from "./datasets.ts";
import { cpuMicrosPerEvent, type Reading } from "./reading.ts";
import type { Summary } from "./summary.ts";

/** A promise about speed or size, and what was measured. `met` is null where it was not, or where nothing is promised. */
export interface Bar {
  readonly what: string;
  readonly bound: "at least" | "at most" | "shown";
  readonly limit: number | null;
  readonly measured: number | null;
  readonly met: boolean | null;
}

const MEBIBYTE = 1024 * 1024;

/** Of the defaults on two cores: plan to certificate (counts and read-back), 20k aggregates. */
export function judge(summary: Summary): Bar[] {
  return [...speedBars(summary), ...cpuBars(summary), ...peerBars(summary), ...costBars(summary), ...sizeBars(summary)];
}

function speedBars(summary: Summary): Bar[] {
  const toRaw = (name: string) => summary.rateRatio(name, "raw read");
  return [
    atLeast("flat, ratio to the raw read", 0.65, toRaw("flat")),
    atLeast("graph, ratio to the raw read", 0.42, toRaw("graph")),
    atLeast("shuffle with 2 workers, flat, ratio to the raw read", 0.45, toRaw("shuffle, 2 workers")),
    atLeast("flat, defaults to the best forced number of workers", 0.9, toBestForced(summary, "flat")),
    atLeast("graph, defaults to the best forced number of workers", 0.9, toBestForced(summary, "graph")),
    atMost(
      "seconds from start to the first unit at work",
      2,
      summary.median("flat", (reading) => reading.firstUnitSeconds),
    ),
  ];
}

function cpuBars(summary: Summary): Bar[] {
  const all = (name: string) => summary.median(name, cpuMicrosPerEvent);
  const workers = (name: string) => summary.median(name, ({ workerMicros, events }: Reading) => workerMicros / events);
  return [
    atMost("direct, flat: µs of worker CPU an event", 5, workers("flat, 1 worker")),
    atMost("shuffle, flat: µs of worker CPU an event", 6, workers("shuffle, 2 workers")),
    atMost(
      "shuffle: CPU an event with 16 partitions to that with 2",
      1.3,
      quotient(all("shuffle, 16 partitions"), all("shuffle, 2 workers")),
    ),
    shown(
      "direct: CPU an event with 16 units to that with 2",
      quotient(all("direct, 16 units"), all("flat, 2 workers")),
    ),
  ];
}

function peerBars(summary: Summary): Bar[] {
  const times = (peer: string) => summary.rateRatio("flat", peer);
  return [
    atLeast("flat, times a hand-written put per event", 40, times("hand-written put per event")),
    atLeast("flat, times emmett's rebuild as released", 50, times("emmett's rebuild")),
    shown("flat, times a BullMQ job per event", times("BullMQ job per event")),
    atLeast(
      "flat, to the last acknowledged write, times a hand-written fold, then put",
      1.5,
      summary.rateRatio("flat, certify none", "hand-written fold, then put"),
    ),
  ];
}

function costBars(summary: Summary): Bar[] {
  const seconds = (name: string) => summary.median(name, (reading) => reading.seconds);
  /** What verifying at full adds to a run; compared with a whole run as it is by default, its own certificate included. */
  const verifying = (projection: string) => {
    const [bare, certified] = [seconds(`${projection}, certify none`), seconds(`${projection}, certify full`)];
    return quotient(difference(certified, bare), seconds(projection));
  };
  const slowdown = summary.rateRatio("flat, no checkpoints", "flat, checkpoint every 10000");
  return [
    atMost(
      "share of a flat run's time that its certificate (counts) costs",
      0.15,
      quotient(difference(seconds("flat"), seconds("flat, certify none")), seconds("flat")),
    ),
    atMost("verifying a flat run at full, to the run's time", 1, verifying("flat")),
    atMost("verifying a graph run at full, to the run's time", 1, verifying("graph")),
    atMost("share of time that a checkpoint every 10000 events costs", 0.15, difference(slowdown, 1)),
    atLeast(
      "flat, watched in the dashboard to unwatched",
      0.97,
      summary.rateRatio("flat, watched in the dashboard", "flat, certify none"),
    ),
  ];
}

function sizeBars(summary: Summary): Bar[] {
  const peak = (name: string) => summary.median(name, (reading) => reading.peakBytes);
  const [main, long] = [peak("flat, memory limit"), peak("long: flat, memory limit")];
  const limit = MEMORY_LIMIT_BYTES / MEBIBYTE;
  return [
    atMost("worker's peak MiB under a limit of 512 MiB", limit, inMiB(main)),
    hugeBar(summary, limit),
    atMost("worker's peak on a stream 4 times as long, ratio", 1.25, quotient(long, main)),
  ];
}

function hugeBar(summary: Summary, limit: number): Bar {
  const name = "huge: flat, memory limit, states on disk";
  const isHuge = (summary.dataset(name)?.aggregates ?? 0) >= HUGE_AGGREGATES;
  const peak = isHuge ? summary.median(name, (reading) => reading.peakBytes) : null;
  const bar = atMost("2M aggregates under a limit of 512 MiB complete: worker's peak MiB", limit, inMiB(peak));
  return summary.failed(name) ? { ...bar, met: false } : bar;
}

function toBestForced(summary: Summary, projection: string): number | null {
  const forced = ["1 worker", "2 workers"].map((workers) => `${projection}, ${workers}`);
  const rivals = projection === "flat" ? [...forced, "shuffle, 2 workers"] : forced;
  const ratios = rivals.map((rival) => summary.rateRatio(projection, rival)).filter((ratio) => ratio !== null);
  return ratios.length === 0 ? null : Math.min(...ratios);
}

function inMiB(bytes: number | null): number | null {
  return quotient(bytes, MEBIBYTE);
}

function quotient(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a / b;
}

function difference(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a - b;
}

function atLeast(what: string, limit: number, measured: number | null): Bar {
  return { what, bound: "at least", limit, measured, met: measured === null ? null : measured >= limit };
}

function atMost(what: string, limit: number, measured: number | null): Bar {
  return { what, bound: "at most", limit, measured, met: measured === null ? null : measured <= limit };
}

/** Beside a bar, to compare it with. */
function shown(what: string, measured: number | null): Bar {
  return { what, bound: "shown", limit: null, measured, met: null };
}
