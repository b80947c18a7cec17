import { formatCount, formatSize, type WorkerProfile } from "@cim-replay/core";
import { ACTIVITIES, type Activity, type ActivityMs, activitiesOf } from "./activity.ts";
import type { Gathered } from "./gather.ts";

type Limit =
  | "server"
  | "network"
  | "decode"
  | "fold"
  | "digest"
  | "checkpoint"
  | "write"
  | "gc"
  | "read"
  | "redis"
  | "other"
  | "nothing";

export interface Verdict {
  readonly limit: Limit;
  /** What is so, with the numbers. */
  readonly because: string;
  readonly advice: string;
}

export interface Totals {
  readonly seconds: number;
  /** Of workers at work. */
  readonly busyMs: number;
  readonly activities: ActivityMs;
  readonly stages: WorkerProfile["stages"];
  readonly delivered: number;
  readonly eventsPerSecond: number;
}

/** A round trip of so long is no longer one of a machine room. */
const FAR_MS = 3;
const WAITING_SHARE = 0.3;
const MOSTLY = 0.5;

const ADVICE: Record<Limit, string> = {
  server:
    "The NATS server's reading is the bound: fewer --units read the stream less often; else a faster disk or a server of its own for NATS.",
  network: "Ask further ahead with --prefetch (and --buffer-size), or let the workers run beside the NATS server.",
  decode:
    "Spread the work with --parallel and --units over more cores or machines (cim-replay worker); smaller events help too.",
  fold: "Spread the work with --parallel and --units over more cores or machines; in the flame graph see which part of `evolve` costs most.",
  digest: "Spread the hashing with --parallel and --units over more cores.",
  checkpoint: "Make fewer checkpoints: raise --checkpoint-interval, or leave it at auto.",
  write:
    "The target bucket's writing is the bound: a faster disk for NATS, or --certify none if the look afterwards is what takes long.",
  gc: "Give each worker room: raise --memory-limit, drop --gc-interval, or spread the states with --parallel and --units.",
  read: "Taking messages from the socket is the bound: spread it with --parallel and --units over more cores, and raise --batch-size.",
  redis:
    "Units wait for a worker: raise --local-workers or --concurrency, or start more workers; if there are enough, look at Redis with `debug-replay --show-locks`.",
  other: "See the flame graph for what takes the time.",
  nothing: "Profile for longer, while the run reads.",
};

export function totalsOf({ profiles, wallMs }: Gathered): Totals {
  const add = (of: (profile: WorkerProfile) => number) => profiles.reduce((sum, profile) => sum + of(profile), 0);
  const each = profiles.map(({ cpuProfile }) => activitiesOf(cpuProfile));
  const activity = (name: Activity) => each.reduce((sum, one) => sum + one[name], 0);
  const delivered = add((profile) => profile.delivered);
  return {
    seconds: wallMs / 1000,
    busyMs: add((profile) => profile.wallMs),
    activities: Object.fromEntries(ACTIVITIES.map((name) => [name, activity(name)])) as Record<Activity, number>,
    stages: {
      fetch: add(({ stages }) => stages.fetch),
      fold: add(({ stages }) => stages.fold),
      checkpoint: add(({ stages }) => stages.checkpoint),
      write: add(({ stages }) => stages.write),
    },
    delivered,
    eventsPerSecond: delivered / Math.max(0.001, wallMs / 1000),
  };
}

/** What limits the run, by what its workers waited for, or else by what they did most. */
export function judge(gathered: Gathered, totals: Totals): Verdict {
  const { activities, busyMs } = totals;
  if (gathered.waitingShare > WAITING_SHARE) {
    return verdict(
      "redis",
      `units waited for a worker in ${percent(gathered.waitingShare)} of the looks at the ledger`,
    );
  }
  const sampled = Object.values(activities).reduce((sum, ms) => sum + ms, 0);
  if (sampled === 0 || busyMs === 0) return verdict("nothing", "no worker was at work for long enough");
  if (activities.idle / sampled > MOSTLY) return waitedFor(gathered, totals, activities.idle / sampled);
  const busy = ACTIVITIES.filter((name) => name !== "idle" && name !== "queue");
  const most = busy.reduce((best, name) => (activities[name] > activities[best] ? name : best), busy[0] ?? "other");
  const share = activities[most] / Math.max(1, sampled - activities.idle);
  const perEvent = (activities[most] * 1000) / Math.max(1, totals.delivered);
  return verdict(
    most,
    `the workers are busy ${percent(1 - activities.idle / sampled)} of the time, ${percent(share)} of that with ${most} (${perEvent.toFixed(2)} µs a message)`,
  );
}

/** The processors had time: something outside was slower. */
function waitedFor({ profiles }: Gathered, { stages }: Totals, idleShare: number): Verdict {
  const idle = `the workers wait ${percent(idleShare)} of the time`;
  if (stages.write > stages.fetch) return verdict("write", `${idle}, most of it while they write entries`);
  if (stages.checkpoint > stages.fetch)
    return verdict("checkpoint", `${idle}, most of it for checkpoints to be stored`);
  const rtts = profiles.flatMap(({ rttMs }) => (rttMs === null ? [] : [rttMs]));
  const rttMs = rtts.length === 0 ? 0 : Math.min(...rtts);
  const held = profiles.reduce((sum, { inFlightBytes }) => sum + inFlightBytes.mean, 0);
  const facts = `${idle} for messages, with ${formatSize(Math.round(held))} in hand, and NATS is ${rttMs.toFixed(1)} ms away`;
  return verdict(rttMs >= FAR_MS ? "network" : "server", facts);
}

function verdict(limit: Limit, because: string): Verdict {
  return { limit, because, advice: ADVICE[limit] };
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

export function rate(eventsPerSecond: number): string {
  return `${formatCount(Math.round(eventsPerSecond))} messages/s`;
}
