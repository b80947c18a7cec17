import { fitNonNegative } from "./least-squares.ts";
import type { Cost, Load, Observation } from "./load.ts";
import { type Phase, type Program, passes, TERMS } from "./terms.ts";

/** What turns processor time into time on the clock. */
interface Clock {
  /** Seconds that no amount of work explains. */
  readonly constantSeconds: number;
  /** What starting, and what all other phases, really take to what they would at best. */
  readonly startTimes: number;
  readonly workTimes: number;
}

export interface CostModel {
  /** Microseconds of processor time for each of TERMS. */
  readonly micros: readonly number[];
  readonly clock: Clock;
}

/** Where a load is worked off. */
export interface Place {
  /** Of the machine that has the server; the workers' too where `workerCores` is null. */
  readonly cores: number;
  /** Cores of all machines that only have workers; null: they share the server's. */
  readonly workerCores: number | null;
  /** Bytes a second from the server to the workers; null: the same machine. */
  readonly bytesPerSecond: number | null;
}

const PROGRAMS: readonly Program[] = ["worker", "server", "command"];
const WORK: readonly Phase[] = ["read", "write", "certify"];

/** Processor time by least squares for each program alone, then the clock's figures over what that gives. */
export function fitModel(observations: readonly Observation[], place: Place): CostModel {
  const micros = new Array<number>(TERMS.length).fill(0);
  for (const program of PROGRAMS) {
    const own = [...TERMS.entries()].filter(([, term]) => term.program === program);
    const rows = observations.map(({ load }) => own.map(([, term]) => term.count(load)));
    const targets = observations.map(({ measured }) => Math.max(1, measured[program]));
    for (const [at, value] of fitNonNegative(rows, targets).entries()) micros[own[at]?.[0] ?? 0] = value;
  }
  const [constantSeconds = 0, startTimes = 0, workTimes = 0] = fitNonNegative(
    observations.map(({ load }) => [
      1,
      bestSeconds(micros, load, place, ["start"]),
      bestSeconds(micros, load, place, WORK),
    ]),
    observations.map(({ measured }) => measured.seconds),
  );
  return { micros, clock: { constantSeconds, startTimes, workTimes } };
}

export function predict({ micros, clock }: CostModel, load: Load, place: Place): Cost {
  const all = (program: Program) => cpuMicros(micros, load, program, ["start", ...WORK]);
  return {
    worker: all("worker"),
    server: all("server"),
    command: all("command"),
    seconds:
      clock.constantSeconds +
      clock.startTimes * bestSeconds(micros, load, place, ["start"]) +
      clock.workTimes * bestSeconds(micros, load, place, WORK),
  };
}

function cpuMicros(micros: CostModel["micros"], load: Load, program: Program, phases: readonly Phase[]): number {
  return TERMS.reduce(
    (sum, term, at) =>
      term.program === program && phases.includes(term.phase) ? sum + term.count(load) * (micros[at] ?? 0) : sum,
    0,
  );
}

/**
 * Phases one after the other, each as long as its slowest part: the stream (served to one reader after another), a
 * worker's thread, the cores, the network.
 */
function bestSeconds(micros: CostModel["micros"], load: Load, place: Place, phases: readonly Phase[]): number {
  return phases.reduce((total, phase) => {
    const [worker = 0, server = 0, command = 0] = PROGRAMS.map((program) => cpuMicros(micros, load, program, [phase]));
    const { cores, workerCores, bytesPerSecond } = place;
    const shared =
      workerCores === null
        ? (worker + server + command) / cores
        : Math.max(worker / workerCores, (server + command) / cores);
    const sentBytes = phase === "read" ? load.messages * load.eventBytes * passes(load) : 0;
    const network = bytesPerSecond === null ? 0 : sentBytes / bytesPerSecond;
    return total + Math.max(Math.max(server, worker / Math.max(1, load.workers), command, shared) / 1e6, network);
  }, 0);
}
