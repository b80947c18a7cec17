import type { Partition, PlannedUnit } from "./plan.ts";

/** What one message or event costs, in microseconds of one core. */
export interface StepCosts {
  /** The server, for each message and each unit that reads it. */
  readonly serverRead: number;
  /** The client library and routing, for each message and each unit. */
  readonly clientRead: number;
  /** Decoding and folding, once an event. */
  readonly fold: number;
}

export interface Load {
  /** In the range; and how many of them are the domain's. */
  readonly messages: number;
  readonly events: number;
  readonly maxUnits: number;
  readonly cores: number;
}

export interface UnitChoice {
  readonly units: number;
  readonly seconds: number;
  readonly reason: string;
}

/** More units must promise this share of the time: a sample on a busy machine overstates what folding costs. */
const WORTH_A_PASS = 0.75;

/**
 * How many units read a stream at the least estimated time. Every unit of the direct source reads all messages, so that
 * each costs a pass; it pays where folding is dear against reading. Bounds: all cores together, one unit's own thread, and
 * the one stream on the server, which serves its readers one after another.
 */
export function chooseUnits(load: Load, costs: StepCosts): UnitChoice {
  const secondsFor = (units: number) => {
    const server = units * load.messages * costs.serverRead;
    const thread = load.messages * costs.clientRead + (load.events / units) * costs.fold;
    const work = server + units * load.messages * costs.clientRead + load.events * costs.fold;
    return Math.max(server, thread, work / load.cores) / 1e6;
  };
  let best = 1;
  for (let units = 2; units <= load.maxUnits; units++) {
    if (secondsFor(units) < secondsFor(best) * WORTH_A_PASS) best = units;
  }
  const seconds = secondsFor(best);
  const other = best === 1 ? 2 : 1;
  const reason =
    load.maxUnits === 1
      ? "one unit: nothing to share"
      : `${plural(best)} of at most ${load.maxUnits}: about ${seconds.toFixed(1)} s, ${plural(other)} about ${secondsFor(other).toFixed(1)} s on ${load.cores} cores`;
  return { units: best, seconds, reason };
}

/**
 * What an event of some 300 bytes costs more where it goes by way of a segment, as prototypes had it: the server, for storing it
 * and giving it out again, compressed; who packs and who unpacks, digests and compression included.
 */
const SEGMENT_SERVER_MICROS = 1.2;
const PACK_MICROS = 1.6;
const UNPACK_MICROS = 0.8;

/**
 * The estimated time of a run whose stream is read once in all, whatever the number of units: each message is read and routed
 * once, each event packed, unpacked and folded once, and all of that is shared by as many workers as there are cores.
 */
export function shuffleSeconds({ messages, events, maxUnits, cores }: Load, costs: StepCosts): number {
  const server = messages * costs.serverRead + events * SEGMENT_SERVER_MICROS;
  const packing = messages * costs.clientRead + events * PACK_MICROS;
  const folding = events * (UNPACK_MICROS + costs.fold);
  const thread = packing / cores + folding / Math.min(cores, maxUnits);
  return Math.max(server, thread, (server + packing + folding) / cores) / 1e6;
}

/** Spreads partitions over units, the largest first, each to the unit that has least. */
export function assignPartitions(partitions: readonly Partition[], units: number): PlannedUnit[] {
  const loads = Array.from({ length: Math.min(units, partitions.length) }, (_, i) => ({
    id: `u${i}`,
    partitions: [] as number[],
    events: 0,
  }));
  const weight = (partition: Partition) => partition.expected?.maxEvents ?? 1;
  for (const partition of [...partitions].sort((a, b) => weight(b) - weight(a))) {
    const least = loads.reduce((a, b) => (b.events < a.events ? b : a));
    least.partitions.push(partition.index);
    least.events += weight(partition);
  }
  return loads.map(({ id, partitions }) => ({ id, partitions: partitions.sort((a, b) => a - b) }));
}

function plural(units: number): string {
  return units === 1 ? "1 unit" : `${units} units`;
}
