import type { Load } from "./load.ts";

export type Program = "worker" | "server" | "command";
/** One after the other, each as fast as its slowest part allows. */
export type Phase = "start" | "read" | "write" | "certify";

/** Something that costs processor time in proportion to a count. */
export interface Term {
  readonly program: Program;
  readonly phase: Phase;
  readonly what: string;
  readonly count: (load: Load) => number;
}

const KIB = 1024;
/** How often the workers read the stream. */
export const passes = ({ source, units }: Load) => (source === "direct" ? units : 1);
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
