import { setTimeout as sleep } from "node:timers/promises";
import { type Lease, type RunRecord, ReplayError, type UnitRecord, UnreachableError } from "@cim-replay/core";
import type { Ledger } from "@cim-replay/nats";
import type { QueuedUnit, UnitQueue } from "@cim-replay/queue";
import { isCoordinated } from "./lease-keeper.ts";

/** Heartbeats come every half second. */
const WATCH_MS = 1_500;
/** Who seems silent is looked at once more: a busy machine lets one wait as long, and word of its death would be false. */
const SECOND_LOOK_MS = 3_000;

export interface LockFacts {
  readonly run: RunRecord;
  readonly units: readonly UnitRecord[];
  /** Units at work whose heartbeat stood still while it was watched: their owner is gone, stopped, or cut off. */
  readonly silent: ReadonlySet<string>;
  readonly isCoordinated: boolean;
  readonly lease: Lease | null;
  /** Jobs of this run, and workers connected to the queue; null while Redis is away. */
  readonly queue: { readonly jobs: readonly QueuedUnit[]; readonly workers: number } | null;
}

/** Who holds what of a run, watched for a moment: 1.5 s, or up to 9 s where a worker or its coordinator seems gone. */
export async function readLockFacts(ledger: Ledger, queue: UnitQueue | null, runId: string): Promise<LockFacts> {
  const before = await unitsOf(ledger, runId);
  const found = await ledger.getRun(runId);
  if (!found)
    throw new ReplayError(`Cannot look at run ${runId}: the ledger has none of that id. See \`replay-list\`.`);
  const { domain, target } = found.record.settings;
  const [coordinated] = await Promise.all([isCoordinated(ledger, { domain, target, runId }), sleep(WATCH_MS)]);
  let units = await unitsOf(ledger, runId);
  const heartbeats = new Map(before.map(({ id, heartbeat }) => [id, heartbeat]));
  const isSilent = (unit: UnitRecord) => unit.state === "running" && heartbeats.get(unit.id) === unit.heartbeat;
  if (units.some(isSilent)) {
    await sleep(SECOND_LOOK_MS);
    units = await unitsOf(ledger, runId);
  }
  return {
    run: (await ledger.getRun(runId))?.record ?? found.record,
    units,
    silent: new Set(units.filter(isSilent).map(({ id }) => id)),
    isCoordinated: coordinated,
    lease: (await ledger.getLease(domain, target))?.record ?? null,
    queue: queue && (await queueFacts(queue, runId)),
  };
}

async function unitsOf(ledger: Ledger, runId: string): Promise<UnitRecord[]> {
  return (await ledger.listUnits(runId)).map(({ record }) => record);
}

async function queueFacts(queue: UnitQueue, runId: string): Promise<LockFacts["queue"]> {
  try {
    const [jobs, workers] = await Promise.all([queue.jobsOf(runId), queue.workerCount()]);
    return { jobs, workers };
  } catch (error) {
    if (error instanceof UnreachableError) return null;
    throw error;
  }
}
