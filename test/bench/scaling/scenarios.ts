import type { Results } from "../results.ts";
import { type Fit, fitResults } from "./fit.ts";
import { type Place, predict } from "./cost-model.ts";
import { TERMS } from "./terms.ts";
import type { Load } from "./load.ts";
import { figure } from "../report.ts";
import { Summary } from "../summary.ts";

const STORED = "an entry stored";
const TERABYTE = 1e12;
const EVENTS_AN_AGGREGATE = 50;
const NODES = 10;
const NODE_CORES = 8;
const TEN_GIGABIT = 10e9 / 8;
/** Where it was not measured: a replicated entry is stored by three servers. */
const REPLICATED_WRITE = 3;

export interface Scenario {
  readonly what: string;
  readonly events: number;
  readonly hours: number;
  /** What takes the longest part of it. */
  readonly boundBy: string;
  /** Of the states of all aggregates, on each machine that folds; null where nothing to go by was measured. */
  readonly gibibytesANode: number | null;
  /** How far it is from what was run. */
  readonly basis: string;
}

const ONE: Place = { cores: 2, workerCores: null, bytesPerSecond: null };
const LARGE: Place = { cores: NODE_CORES, workerCores: null, bytesPerSecond: null };
const TEN: Place = { cores: NODE_CORES, workerCores: NODES * NODE_CORES, bytesPerSecond: TEN_GIGABIT };

/** What the model says of streams and machines that nobody ran it on. */
export function scenariosOf(results: Results): Scenario[] {
  const fit = fitResults(results);
  const summary = new Summary(results.cases);
  const bytesAnAggregate = stateBytes(summary);
  const replicated = replicatedWrite(fit, summary);
  const hasShuffle = fit.fitted.some(({ load }) => load.source === "shuffle");
  const spread: Partial<Load>[] = hasShuffle ? [{ source: "direct" }, { source: "shuffle" }] : [{ source: "direct" }];
  return [300, 4_096].flatMap((eventBytes) => {
    const load: Load = {
      messages: Math.round(TERABYTE / eventBytes),
      eventBytes,
      entries: Math.round(TERABYTE / eventBytes / EVENTS_AN_AGGREGATE),
      projection: "aggregate",
      source: "direct",
      certify: "counts",
      units: 1,
      workers: 1,
    };
    const says = (what: string, place: Place, changes: Partial<Load>, nodes: number, basis: string, writes = 1) =>
      scenario(
        fit,
        { what: `1 TB of ${eventBytes} B, ${what}`, place, nodes, basis, writes },
        { ...load, ...changes },
        bytesAnAggregate,
      );
    const ten = { units: NODES, workers: NODES } as const;
    return [
      says("one machine of 2 cores", ONE, {}, 1, "longer than what was run, on the same machine"),
      says("one machine of 8 cores", LARGE, {}, 1, "cores that were not there"),
      ...spread.map((how) =>
        says(
          `10 nodes of 8 cores, ${how.source}`,
          TEN,
          { ...ten, ...how },
          NODES,
          "machines and a network that were not there",
        ),
      ),
      ...spread
        .slice(-1)
        .map((how) =>
          says(
            `the same on a 3-node cluster, ${how.source}`,
            TEN,
            { ...ten, ...how },
            NODES,
            `a replicated write costs the servers ${figure(replicated ?? REPLICATED_WRITE, 1)} times one, ${replicated === null ? "assumed" : "from three of them on one machine"}`,
            replicated ?? REPLICATED_WRITE,
          ),
        ),
    ];
  });
}

interface Where {
  readonly what: string;
  readonly place: Place;
  readonly nodes: number;
  readonly basis: string;
  readonly writes: number;
}

function scenario(
  { model }: Fit,
  { what, place, nodes, basis, writes }: Where,
  load: Load,
  bytes: number | null,
): Scenario {
  const micros = model.micros.map((cost, at) => cost * (TERMS[at]?.what === STORED ? writes : 1));
  const { seconds } = predict({ ...model, micros }, load, place);
  return {
    what,
    events: load.messages,
    hours: seconds / 3_600,
    boundBy: boundBy({ ...model, micros }, load, place, seconds),
    gibibytesANode: bytes === null ? null : (bytes * load.entries) / nodes / 1024 ** 3,
    basis,
  };
}

/** By taking each limit away in turn: the one without which it would be shortest. */
function boundBy(model: Fit["model"], load: Load, place: Place, seconds: number): string {
  const without = (wanted: string, faster: Place, free: (program: string) => boolean) => {
    const micros = model.micros.map((cost, at) => (free(TERMS[at]?.program ?? "") ? 0 : cost));
    return { wanted, gain: seconds - predict({ ...model, micros }, load, faster).seconds };
  };
  const gains = [
    without("the server", place, (program) => program === "server"),
    without("the workers", place, (program) => program === "worker"),
    without("the command", place, (program) => program === "command"),
    without("the network", { ...place, bytesPerSecond: null }, () => false),
  ];
  return gains.reduce((most, one) => (one.gain > most.gain ? one : most)).wanted;
}

/** An entry's cost to three servers that replicate it, to that of one; null where one of the two was not measured. */
function replicatedWrite({ model }: Fit, summary: Summary): number | null {
  const [one, three] = ["many: flat", "cluster: flat"].map((name) =>
    summary.median(name, ({ serverMicros, entries }) => serverMicros / (entries || 1)),
  );
  const stored = model.micros[TERMS.findIndex(({ what }) => what === STORED)] ?? 0;
  if (one == null || three == null || stored === 0) return null;
  return 1 + Math.max(0, three - one) / stored;
}

/** What an aggregate's state takes in a worker, from the peaks of two streams that differ in their number. */
function stateBytes(summary: Summary): number | null {
  const at = (name: string) => ({
    peak: summary.median(name, ({ peakBytes }) => peakBytes),
    entries: summary.median(name, ({ entries }) => entries),
  });
  const [few, many] = [at("flat"), at("huge: flat")];
  if (few.peak === null || many.peak === null || few.entries === null || many.entries === null) return null;
  return many.entries > few.entries ? Math.max(0, (many.peak - few.peak) / (many.entries - few.entries)) : null;
}
