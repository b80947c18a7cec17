import { fitNonNegative } from "./least-squares.ts";
import type { Cost, Load, Observation } from "./load.ts";

type Program = "worker" | "server" | "command";
/** One after the other, each as fast as its slowest part allows. */
type Phase = "start" | "read" | "write" | "certify";

/** Something that costs processor time in proportion to a count. */
export interface Term {
  readonly program: Program;
  readonly phase: Phase;
  readonly what: string;
  readonly count: (load: Load) => number;
}

const KIB = 1024;
const passes = ({ source, units }: Load) => (source === "direct" ? units : 1);
const isOf = (load: Load, projection: Load["projection"]) => (load.projection === projection ? load.messages : 0);
const isShuffled = (load: Load) => (load.source === "shuffle" ? load.messages : 0);
const readsAgain = ({ certify }: Load) => certify === "content" || certify === "full";
const refolds = (load: Load, projection: Load["projection"]) => (load.certify === "full" ? isOf(load, projection) : 0);
const kibOf = ({ messages, eventBytes }: Load) => (messages * eventBytes) / KIB;

export const TERMS: readonly Term[] = [
  { program: "worker", phase: "start", what: "a worker's start", count: ({ workers }) => workers },
  {
    program: "worker",
    phase: "read",
    what: "a message read and routed",
    count: (load) => load.messages * passes(load),
  },
  { program: "worker", phase: "read", what: "a KiB read", count: (load) => kibOf(load) * passes(load) },
  {
    program: "worker",
    phase: "read",
    what: "an event hashed, decoded and folded, flat",
    count: (load) => isOf(load, "aggregate"),
  },
  {
    program: "worker",
    phase: "read",
    what: "an event hashed, decoded and folded, graph",
    count: (load) => isOf(load, "graph"),
  },
  { program: "worker", phase: "read", what: "a message shuffled", count: isShuffled },
  { program: "worker", phase: "write", what: "an entry written", count: ({ entries }) => entries },
  { program: "server", phase: "start", what: "a run", count: () => 1 },
  { program: "server", phase: "read", what: "a message delivered", count: (load) => load.messages * passes(load) },
  { program: "server", phase: "read", what: "a KiB delivered", count: (load) => kibOf(load) * passes(load) },
  { program: "server", phase: "read", what: "a message shuffled", count: isShuffled },
  { program: "server", phase: "write", what: "an entry stored", count: ({ entries }) => entries },
  {
    program: "server",
    phase: "certify",
    what: "a message delivered again",
    count: (load) => (readsAgain(load) ? load.messages : 0),
  },
  { program: "command", phase: "start", what: "a run", count: () => 1 },
  { program: "command", phase: "start", what: "an aggregate planned", count: ({ entries }) => entries },
  {
    program: "command",
    phase: "certify",
    what: "an entry read back",
    count: (load) => (load.certify === "none" ? 0 : load.entries),
  },
  {
    program: "command",
    phase: "certify",
    what: "a message compared",
    count: (load) => (readsAgain(load) ? load.messages : 0),
  },
  {
    program: "command",
    phase: "certify",
    what: "an event folded again, flat",
    count: (load) => refolds(load, "aggregate"),
  },
  {
    program: "command",
    phase: "certify",
    what: "an event folded again, graph",
    count: (load) => refolds(load, "graph"),
  },
];

export interface CostModel {
  /** Microseconds of processor time for each of TERMS. */
  readonly micros: readonly number[];
  /** Seconds before and after, which no amount of work explains, and what phases really take to what they would at best. */
  readonly startSeconds: number;
  readonly overIdeal: number;
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

/** Processor time by least squares for each program alone, then the two figures of the clock over what that gives. */
export function fitModel(observations: readonly Observation[], place: Place): CostModel {
  const micros = new Array<number>(TERMS.length).fill(0);
  for (const program of ["worker", "server", "command"] as const) {
    const own = [...TERMS.entries()].filter(([, term]) => term.program === program);
    const rows = observations.map(({ load }) => own.map(([, term]) => term.count(load)));
    const targets = observations.map(({ measured }) => Math.max(1, measured[program]));
    for (const [at, value] of fitNonNegative(rows, targets).entries()) micros[own[at]?.[0] ?? 0] = value;
  }
  const ideal = { micros, startSeconds: 0, overIdeal: 1 };
  const [startSeconds = 0, overIdeal = 1] = fitNonNegative(
    observations.map(({ load }) => [1, predict(ideal, load, place).seconds]),
    observations.map(({ measured }) => measured.seconds),
  );
  return { micros, startSeconds, overIdeal };
}

export function predict(model: CostModel, load: Load, place: Place): Cost {
  const sum = (wanted: Partial<Pick<Term, "program" | "phase">>) =>
    TERMS.reduce((total, term, at) => {
      const isWanted = Object.entries(wanted).every(([key, value]) => term[key as "program" | "phase"] === value);
      return isWanted ? total + term.count(load) * (model.micros[at] ?? 0) : total;
    }, 0);
  const phases = (["start", "read", "write", "certify"] as const).map((phase) => {
    const micros = {
      worker: sum({ program: "worker", phase }),
      server: sum({ program: "server", phase }),
      command: sum({ program: "command", phase }),
    };
    const sent = phase === "read" ? load.messages * load.eventBytes * passes(load) : 0;
    return phaseSeconds(micros, sent, load, place);
  });
  return {
    worker: sum({ program: "worker" }),
    server: sum({ program: "server" }),
    command: sum({ program: "command" }),
    seconds: model.startSeconds + model.overIdeal * phases.reduce((total, seconds) => total + seconds, 0),
  };
}

/** As long as its slowest part: the stream (served to one reader after another), a worker's thread, the cores, the network. */
function phaseSeconds(
  { worker, server, command }: Omit<Cost, "seconds">,
  sentBytes: number,
  { workers }: Load,
  { cores, workerCores, bytesPerSecond }: Place,
): number {
  const cpu =
    workerCores === null
      ? (worker + server + command) / cores
      : Math.max(worker / workerCores, (server + command) / cores);
  const network = bytesPerSecond === null ? 0 : sentBytes / bytesPerSecond;
  return Math.max(server / 1e6, worker / Math.max(1, workers) / 1e6, command / 1e6, cpu / 1e6, network);
}
