import type { CpuProfile } from "@cim-replay/core";

export const ACTIVITIES = [
  "idle",
  "gc",
  "read",
  "decode",
  "fold",
  "digest",
  "checkpoint",
  "write",
  "queue",
  "other",
] as const;
export type Activity = (typeof ACTIVITIES)[number];
export type ActivityMs = Readonly<Record<Activity, number>>;

interface Frame {
  readonly functionName: string;
  readonly url: string;
}

/** First fit wins; a frame that fits none is its caller's. From where our files lie, which a build keeps. */
const RULES: readonly { activity: Activity; url?: RegExp; name?: RegExp }[] = [
  { activity: "idle", name: /^\(idle\)$/ },
  { activity: "gc", name: /^\(garbage collector\)$/ },
  { activity: "digest", url: /\/content-digest\.[jt]s$/ },
  { activity: "decode", url: /\/core\/(src|dist)\/decode\// },
  { activity: "checkpoint", url: /\/(checkpoint[a-z-]*|packed-chunk|packable)\.[jt]s$/ },
  { activity: "write", url: /\/(write-entries|entry-[a-z-]+|canonical-json)\.[jt]s$/ },
  { activity: "queue", url: /\/(bullmq|ioredis|queue\/(src|dist))\// },
  { activity: "fold", url: /\/(core\/(src|dist)\/fold|projections\/(src|dist)\/.+)\.[jt]s$/ },
  { activity: "fold", name: /^evolve$/ },
  { activity: "read", url: /\/(nats\/(src|dist)|nats-core|@nats-io|node_modules\/nats)\// },
  { activity: "read", url: /^node:(net|tls|internal\/stream_base_commons|internal\/streams\/.+)$/ },
  { activity: "fold", url: /\/(unit-fold|unit-pass|aggregate-table|key-index|accountant)\.[jt]s$/ },
];

/** Milliseconds of each activity: each sample is the innermost frame's that says what it is for. */
export function activitiesOf(profile: CpuProfile): ActivityMs {
  const selfMs = selfTimes(profile);
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  );
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const known = new Map<number, Activity>();
  const activityOf = (id: number): Activity => {
    const before = known.get(id);
    if (before) return before;
    const frame = frames.get(id);
    const parent = parents.get(id);
    const activity = (frame && ruleOf(frame)) ?? (parent === undefined ? "other" : activityOf(parent));
    known.set(id, activity);
    return activity;
  };
  const sums = { idle: 0, gc: 0, read: 0, decode: 0, fold: 0, digest: 0, checkpoint: 0, write: 0, queue: 0, other: 0 };
  for (const [id, ms] of selfMs) sums[activityOf(id)] += ms;
  return sums;
}

/** Milliseconds in which a node itself was at work, by its id. */
export function selfTimes({ samples = [], timeDeltas = [] }: CpuProfile): Map<number, number> {
  const selfMs = new Map<number, number>();
  for (const [at, id] of samples.entries()) {
    // A delta says how long after the one before a sample was taken, so that the next one's is this one's length.
    const micros = Math.max(0, timeDeltas[at + 1] ?? 0);
    selfMs.set(id, (selfMs.get(id) ?? 0) + micros / 1000);
  }
  return selfMs;
}

function ruleOf({ functionName, url }: Frame): Activity | undefined {
  return RULES.find((rule) => (rule.url?.test(url) ?? true) && (rule.name?.test(functionName) ?? true))?.activity;
}
