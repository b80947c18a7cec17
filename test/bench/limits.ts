import { eventsPerSecond, type Reading } from "./reading.ts";
import { figure } from "./report.ts";
import type { CaseResult, Results } from "./results.ts";
import type { Summary } from "./summary.ts";

const MICROS = 1_000_000;

/** Whole jobs that the bars are about. */
const JOBS = ["flat", "graph", "shuffle, 2 workers"];

/** What stands between a job and the raw read: processor time that client, server and command share. */
export interface Limit {
  readonly job: string;
  readonly workerMicros: number;
  readonly serverMicros: number;
  readonly commandMicros: number;
  /** Its ratio to the raw read if no core were ever idle. */
  readonly ratioAtBest: number;
  readonly ratio: number;
  /** How much of all cores' time it uses. */
  readonly busyShare: number;
}

/** Of each job that was measured. */
export function limitsOf({ cases, machine }: Pick<Results, "cases" | "machine">, summary: Summary): Limit[] {
  return JOBS.flatMap((job) => {
    const one = cases.find(({ name }) => name === job);
    const limit = one && limitOf(one, machine.cores, summary);
    return limit ? [limit] : [];
  });
}

function limitOf({ name, ceiling }: CaseResult, cores: number, summary: Summary): Limit | null {
  const perEvent = (micros: (reading: Reading) => number) =>
    summary.median(name, (reading) => micros(reading) / reading.events);
  const workerMicros = perEvent((reading) => reading.workerMicros);
  const serverMicros = perEvent((reading) => reading.serverMicros);
  const commandMicros = perEvent((reading) => reading.coordinatorMicros);
  const rawRate = summary.median(ceiling, eventsPerSecond);
  const ratio = summary.rateRatio(name, ceiling);
  if (workerMicros === null || serverMicros === null || commandMicros === null || !rawRate || ratio === null)
    return null;
  const bestRate = (cores * MICROS) / (workerMicros + serverMicros + commandMicros);
  const rate = summary.median(name, eventsPerSecond) ?? 0;
  const ratioAtBest = bestRate / rawRate;
  return { job: name, workerMicros, serverMicros, commandMicros, ratioAtBest, ratio, busyShare: rate / bestRate };
}

export function limitRows(limits: readonly Limit[]): string[][] {
  return [
    ["µs of CPU an event", "worker", "server", "command", "to raw at best", "to raw", "cores busy"],
    ...limits.map((limit) => [
      limit.job,
      ...[limit.workerMicros, limit.serverMicros, limit.commandMicros, limit.ratioAtBest, limit.ratio].map((value) =>
        figure(value, 2),
      ),
      `${figure(limit.busyShare * 100, 0)}%`,
    ]),
  ];
}
