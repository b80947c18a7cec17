import type { Results } from "../results.ts";
import { type Fit, fitResults } from "./fit.ts";
import { type CostModel, type Place, predict } from "./cost-model.ts";
import { TERMS } from "./terms.ts";
import type { Load } from "./load.ts";
import { figure } from "../report.ts";
import { Summary } from "../summary.ts";

const STORED = "an entry stored";
const TERABYTE = 1e12;
const EVENT_BYTES = [300, 4_096];
const EVENTS_AN_AGGREGATE = 50;
const NODES = 10;
const NODE_CORES = 8;
const TEN_GIGABIT = 10e9 / 8;
/** Where it was not measured: a replicated entry is stored by three servers. */
const REPLICATED_WRITE = 3;

export interface Scenario {
  /** What is read, and where. */
  readonly what: string;
  readonly source: Load["source"];
  /** As many as take the least time. */
  readonly units: number;
  readonly events: number;
  readonly hours: number;
  /** What takes the longest part of it. */
  readonly boundBy: string;
  /** Of the states of all aggregates, on each machine that folds; null where nothing to go by was measured. */
  readonly gibibytesANode: number | null;
  /** How far it is from what was run. */
  readonly basis: string;
}

interface Site {
  readonly what: string;
  readonly place: Place;
  readonly nodes: number;
  /** Cost of storing an entry, to that on one server. */
  readonly writes: number;
  readonly basis: string;
}

/** What the model says of streams and machines that nobody ran it on. */
export function scenariosOf(results: Results): Scenario[] {
  const fit = fitResults(results);
  const summary = new Summary(results.cases);
  const bytesAnAggregate = stateBytes(summary);
  const sources = (["direct", "shuffle"] as const).filter((source) =>
    fit.fitted.some((one) => one.load.source === source),
  );
  return EVENT_BYTES.flatMap((eventBytes) =>
    sitesOf(replicatedWrite(fit, summary)).flatMap((site) =>
      sources.map((source) => scenario(fit.model, site, { eventBytes, source }, bytesAnAggregate)),
    ),
  );
}

function sitesOf(replicated: number | null): Site[] {
  const ten: Place = { cores: NODE_CORES, workerCores: NODES * NODE_CORES, bytesPerSecond: TEN_GIGABIT };
  const times = figure(replicated ?? REPLICATED_WRITE, 1);
  const from = replicated === null ? "assumed" : "from three servers on one machine";
  const one = { nodes: 1, writes: 1 };
  return [
    { ...one, what: "a machine of 2 cores", place: alone(2), basis: "longer than what was run, on such a machine" },
    { ...one, what: `a machine of ${NODE_CORES} cores`, place: alone(NODE_CORES), basis: "cores that were not there" },
    {
      what: `${NODES} nodes`,
      place: ten,
      nodes: NODES,
      writes: 1,
      basis: "machines and a network that were not there",
    },
    {
      what: `${NODES} nodes, NATS a 3-node cluster`,
      place: ten,
      nodes: NODES,
      writes: replicated ?? REPLICATED_WRITE,
      basis: `the same, and an entry costs the servers ${times} times one: ${from}`,
    },
  ];
}

function alone(cores: number): Place {
  return { cores, workerCores: null, bytesPerSecond: null };
}

function scenario(
  fitted: CostModel,
  { what, place, nodes, basis, writes }: Site,
  { eventBytes, source }: Pick<Load, "eventBytes" | "source">,
  bytesAnAggregate: number | null,
): Scenario {
  const model = {
    ...fitted,
    micros: fitted.micros.map((cost, at) => cost * (TERMS[at]?.what === STORED ? writes : 1)),
  };
  const messages = Math.round(TERABYTE / eventBytes);
  const entries = Math.round(messages / EVENTS_AN_AGGREGATE);
  const loadOf = (units: number): Load => ({
    ...{ messages, eventBytes, entries, source, units, workers: units },
    projection: "aggregate",
    certify: "counts",
  });
  const choices = Array.from({ length: place.workerCores ?? place.cores }, (_, more) => loadOf(more + 1));
  const secondsOf = (load: Load) => predict(model, load, place).seconds;
  const load = choices.reduce((best, one) => (secondsOf(one) < secondsOf(best) ? one : best));
  return {
    what: `1 TB of ${figure(eventBytes, 0)} B, ${what}`,
    ...{ source, basis, events: messages, units: load.units },
    hours: secondsOf(load) / 3_600,
    boundBy: boundBy(model, load, place),
    gibibytesANode:
      bytesAnAggregate === null ? null : (bytesAnAggregate * entries) / Math.min(nodes, load.units) / 1024 ** 3,
  };
}

/** By taking each limit away in turn: the one without which it would be shortest. */
function boundBy(model: CostModel, load: Load, place: Place): string {
  const { seconds } = predict(model, load, place);
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
