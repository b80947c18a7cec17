import type { CommandWork } from "../case.ts";
import type { Reading } from "../reading.ts";
import type { CaseResult } from "../results.ts";
import { median } from "../statistics.ts";

/** What a run has to do, in the units that costs are of. */
export interface Load {
  readonly messages: number;
  readonly eventBytes: number;
  readonly entries: number;
  readonly projection: CommandWork["projection"];
  readonly source: "direct" | "shuffle";
  readonly certify: "none" | "counts" | "content" | "full";
  readonly units: number;
  readonly workers: number;
}

/** Microseconds of processor time, and seconds on the clock. */
export interface Cost {
  readonly worker: number;
  readonly server: number;
  readonly command: number;
  readonly seconds: number;
}

export interface Observation {
  readonly name: string;
  readonly load: Load;
  readonly measured: Cost;
}

/** A command's case as a load with what it cost, by the medians of its rounds; null where the model does not speak of it. */
export function observationOf({ name, dataset, work, readings }: CaseResult): Observation | null {
  const [reading] = readings;
  if (work.kind !== "command" || work.watched || !reading || reading.entries === null) return null;
  // Other servers and storages have costs of their own, and checkpoints by count are not the default.
  const isUsual =
    dataset.server === "newest" && dataset.storage === "file" && dataset.livePerSecond === 0 && !dataset.headers;
  if (!isUsual || work.more?.some((flag) => flag === "--checkpoint-interval" || flag === "--buffer-mode")) return null;
  const middle = (of: (one: Reading) => number) => median(readings.map(of));
  const units = reading.units ?? 1;
  return {
    name,
    load: {
      messages: middle(({ events }) => events),
      eventBytes: dataset.eventBytes,
      entries: middle(({ entries }) => entries ?? 0),
      projection: work.projection,
      source: reading.source ?? "direct",
      certify: work.certify ?? "counts",
      units,
      workers: Math.min(units, work.workers ?? units),
    },
    measured: {
      worker: middle(({ workerMicros }) => workerMicros),
      server: middle(({ serverMicros }) => serverMicros),
      command: middle(({ coordinatorMicros }) => coordinatorMicros),
      seconds: middle(({ seconds }) => seconds),
    },
  };
}
