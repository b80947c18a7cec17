import type { Dataset } from "./dataset.ts";
import type { BenchOptions } from "./options.ts";

type Variant = "many" | "huge" | "zipf" | "large" | "headed" | "memory" | "oldest" | "live" | "long" | "cluster";
type DatasetName = "main" | Variant;
export type Datasets = Readonly<Record<DatasetName, Dataset>>;

/** From so many events on the streams have as many aggregates as they are named for; shorter ones have fewer. */
export const FULL_SIZE_EVENTS = 1_000_000;
export const HUGE_AGGREGATES = 2_000_000;
const ZIPF = 1;
const SMALL_EVENT_BYTES = 300;
const LARGE_EVENT_BYTES = 4_096;
/** Large events are fewer: bytes cost, and a gibibyte shows it as well as four. */
const LARGE_SHARE = 1 / 4;
const LONGER = 4;
const LIVE_PER_SECOND = 2_000;

type Load = Pick<Dataset, "events" | "aggregates">;

/** Every stream that something is measured on: the main one, and those that differ from it in one thing. */
export function datasetsOf({ events, aggregates, manyAggregates, skew }: BenchOptions): Datasets {
  const shrunk = (count: number) => Math.max(1, Math.ceil(count * Math.min(1, events / FULL_SIZE_EVENTS)));
  const main = ordinary("MAIN", { events, aggregates: shrunk(aggregates), skew });
  const like = (name: Variant, difference: Partial<Dataset>): Dataset => ({
    ...main,
    ...difference,
    name,
    stream: name.toUpperCase(),
  });
  const huge = shrunk(HUGE_AGGREGATES);
  return {
    main,
    many: like("many", { aggregates: shrunk(manyAggregates) }),
    huge: like("huge", { aggregates: huge, events: Math.max(events, huge) }),
    zipf: like("zipf", { skew: ZIPF }),
    large: like("large", { eventBytes: LARGE_EVENT_BYTES, events: Math.ceil(events * LARGE_SHARE) }),
    headed: like("headed", { headers: true }),
    memory: like("memory", { storage: "memory" }),
    oldest: like("oldest", { server: "oldest" }),
    // As many: what replication costs shows where much is written.
    cluster: like("cluster", { server: "cluster", aggregates: shrunk(manyAggregates) }),
    live: like("live", { livePerSecond: LIVE_PER_SECOND }),
    long: like("long", { events: events * LONGER }),
  };
}

/** Small events in a file of one new server, and nobody else at work. */
export function ordinary(stream: string, { events, aggregates, skew = 0 }: Partial<Dataset> & Load): Dataset {
  return {
    ...{ name: "", stream, events, aggregates, skew, eventBytes: SMALL_EVENT_BYTES, headers: false },
    ...{ storage: "file", server: "newest", livePerSecond: 0 },
  };
}
