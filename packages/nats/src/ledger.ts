import {
  entryKey,
  type Lease,
  leaseSchema,
  parseEntryKey,
  type Plan,
  planSchema,
  ReplayError,
  type RunRecord,
  runRecordSchema,
  type UnitRecord,
  unitRecordSchema,
} from "@cim-replay/core";
import { DiscardPolicy, StorageType } from "@nats-io/jetstream";
import { z } from "zod";
import type { NatsClient } from "./connect.ts";
import { bucketStream, keySubject } from "./kv-layout.ts";
import { inParallel } from "./kv-parallel.ts";
import { RecordStore, type Versioned } from "./record-store.ts";
import { ensureStream } from "./stream-ensure.ts";

/** Where runs keep their books. */
export const LEDGER_BUCKET = "CIM_REPLAY";
/** Enough for a writer that lost an answer to find its own write under those that came after it. */
const HISTORY = 8;
const WRITES_AT_ONCE = 16;

export interface LedgerOptions {
  readonly create?: boolean;
  readonly bucket?: string;
}

/**
 * Runs, plans, units, leases and certificates in one KV bucket: `run.{id}`, `plan.{id}`, `unit.{run}.{unit}`,
 * `lease.{domain}.{target}`, `certificate.{run}`.
 * Every read is the stream leader's and checked by schema, every change one compare-and-set. An outage of up to a minute
 * is waited out; then UnreachableError. A record that cannot be read is a ReplayError naming its key.
 */
export class Ledger {
  readonly #records: RecordStore;

  private constructor(records: RecordStore) {
    this.#records = records;
  }

  /** Null where there is no ledger and `create` is not asked for. */
  static async open(client: NatsClient, options: LedgerOptions = {}): Promise<Ledger | null> {
    const bucket = options.bucket ?? LEDGER_BUCKET;
    const config = {
      name: bucketStream(bucket),
      subjects: [keySubject(bucket, ">")],
      max_msgs_per_subject: HISTORY,
      storage: StorageType.File,
      discard: DiscardPolicy.New,
      allow_rollup_hdrs: true,
      allow_direct: true,
    };
    const there = await ensureStream(client, config, options.create ?? false);
    return there ? new Ledger(new RecordStore(client, bucket)) : null;
  }

  /** The run itself is written last: a run that can be seen is whole. Throws ReplayError where the id is taken. */
  async createRun(run: RunRecord, plan: Plan, units: readonly UnitRecord[]): Promise<void> {
    await this.#create(planKey(run.id), plan, run.id);
    await inParallel(units, WRITES_AT_ONCE, (unit) => this.#create(unitKey(run.id, unit.id), unit, run.id));
    await this.#create(runKey(run.id), run, run.id);
  }

  getRun(id: string): Promise<Versioned<RunRecord> | null> {
    return this.#records.get(runKey(id), runRecordSchema);
  }

  /**
   * Reads, changes, writes; again where somebody was faster. `change` may throw, or return null to leave the run as it
   * is. Gives the run as it then stands.
   */
  async changeRun(id: string, change: (run: RunRecord) => RunRecord | null): Promise<RunRecord> {
    for (;;) {
      const current = await this.getRun(id);
      if (current === null) {
        throw new ReplayError(`Cannot change run ${id}: the ledger has no such run. See \`replay-list\`.`);
      }
      const changed = change(current.record);
      if (changed === null) return current.record;
      if ((await this.#records.put(runKey(id), changed, current.revision)) !== null) return changed;
    }
  }

  /** All runs, newest first. */
  async listRuns(): Promise<RunRecord[]> {
    const runs = await this.#records.list("run.*", runRecordSchema);
    return runs
      .map(({ record }) => record)
      .sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt) || (a.id < b.id ? 1 : -1));
  }

  /**
   * Tells of runs that were made or changed, soon after; what changes while the connection is down is not told, so whoever
   * needs to know all also lists them now and then. Returns what ends it.
   */
  onRunChange(handler: (runId: string) => void): () => void {
    return this.#records.onChange("run.*", (key) => {
      const runId = parseEntryKey(key)?.aggregateId;
      if (runId !== undefined) handler(runId);
    });
  }

  async getPlan(id: string): Promise<Plan | null> {
    return (await this.#records.get(planKey(id), planSchema))?.record ?? null;
  }

  getUnit(runId: string, unit: string): Promise<Versioned<UnitRecord> | null> {
    return this.#records.get(unitKey(runId, unit), unitRecordSchema);
  }

  /** One compare-and-set; the new revision, or null where the record is no longer at `revision`. */
  putUnit(record: UnitRecord, revision: number): Promise<number | null> {
    return this.#records.put(unitKey(record.runId, record.id), record, revision);
  }

  /** All units of a run, by id. Those that are `known`, by their ids, are taken as they are given. */
  async listUnits(
    runId: string,
    known: ReadonlyMap<string, Versioned<UnitRecord>> = new Map(),
  ): Promise<Versioned<UnitRecord>[]> {
    const byKey = new Map([...known].map(([id, unit]) => [unitKey(runId, id), unit]));
    const units = await this.#records.list(`${entryKey("unit", runId)}.*`, unitRecordSchema, byKey);
    return units.sort((a, b) => a.record.id.localeCompare(b.record.id, "en", { numeric: true }));
  }

  /** Takes the lease over revision `over`, or, with null, where nobody has it. Null where somebody else was faster. */
  async takeLease(domain: string, target: string, lease: Lease, over: number | null): Promise<number | null> {
    const key = leaseKey(domain, target);
    if (over !== null) return await this.#records.put(key, lease, over);
    const head = await this.#records.head(key);
    if (head !== null && !head.deleted) return null;
    return await this.#records.put(key, lease, head?.revision ?? 0);
  }

  getLease(domain: string, target: string): Promise<Versioned<Lease> | null> {
    return this.#records.get(leaseKey(domain, target), leaseSchema);
  }

  /** The new revision, or null where the lease is no longer at `revision`: somebody else has it. */
  renewLease(domain: string, target: string, lease: Lease, revision: number): Promise<number | null> {
    return this.#records.put(leaseKey(domain, target), lease, revision);
  }

  /** Gives the lease up; does nothing where somebody else has it by now. */
  async releaseLease(domain: string, target: string, revision: number): Promise<void> {
    await this.#records.delete(leaseKey(domain, target), revision);
  }

  /** Keeps a run's newest certificate: any JSON value, whose shape is the verifier's business. */
  async putCertificate(runId: string, certificate: unknown): Promise<void> {
    for (;;) {
      const head = await this.#records.head(certificateKey(runId));
      if ((await this.#records.put(certificateKey(runId), certificate, head?.revision ?? 0)) !== null) return;
    }
  }

  /** Null where the run has none. */
  async getCertificate(runId: string): Promise<unknown> {
    return (await this.#records.get(certificateKey(runId), z.unknown()))?.record ?? null;
  }

  async #create(key: string, record: unknown, runId: string): Promise<void> {
    if ((await this.#records.put(key, record, 0)) !== null) return;
    throw new ReplayError(`Cannot create run ${runId}: the ledger has ${key} already. Give the run another id.`);
  }
}

function runKey(id: string): string {
  return entryKey("run", id);
}

function planKey(id: string): string {
  return entryKey("plan", id);
}

function unitKey(runId: string, unit: string): string {
  return `unit.${entryKey(runId, unit)}`;
}

function certificateKey(runId: string): string {
  return entryKey("certificate", runId);
}

function leaseKey(domain: string, target: string): string {
  return `lease.${entryKey(domain, target)}`;
}
