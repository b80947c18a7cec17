import { setTimeout as sleep } from "node:timers/promises";
import { errorMessage, ReplayError } from "@cim-replay/core";
import { AuditLog, type AuditRecord, type NatsClient, type QuarantinePlace, QuarantineStore } from "@cim-replay/nats";
import { type CertificateView, certificateView } from "./certificate-view.ts";
import { Memo } from "./memo.ts";
import type { KnownRun, RunBoard } from "./run-board.ts";

/** What a page shows in a place of its own: it, or why it cannot be had now. */
export type Part<Value> =
  | { readonly value: Value; readonly trouble: null }
  | { readonly value: null; readonly trouble: string };

const PATIENCE_MS = 3_000;

/** One part that cannot be read leaves the rest of its page as it is. */
export async function partOf<Value>(load: Promise<Value>): Promise<Part<Value>> {
  const late = new AbortController();
  const tooLate = sleep(PATIENCE_MS, undefined, { signal: late.signal }).then(() => {
    throw new ReplayError("It cannot be read now: the server does not answer.");
  });
  tooLate.catch(() => undefined);
  try {
    return { value: await Promise.race([load, tooLate]), trouble: null };
  } catch (error) {
    return { value: null, trouble: errorMessage(error) };
  } finally {
    late.abort();
  }
}

/** Of the audit log; the command shows all. */
const MOST_AUDIT_RECORDS = 1_000;

export interface AuditTail {
  /** Newest first. */
  readonly records: readonly AuditRecord[];
  readonly total: number;
}

/** What pages need beside runs' figures: each is asked for at most so often, however many look. */
export class Details {
  readonly #client: NatsClient;
  readonly #board: RunBoard;
  readonly #certificates = new Memo<unknown>(2_000);
  readonly #places = new Memo<readonly QuarantinePlace[]>(4_000);
  readonly #audit = new Memo<AuditTail>(5_000);

  constructor(client: NatsClient, board: RunBoard) {
    this.#client = client;
    this.#board = board;
  }

  /** For the page of its run, which says whether there is one. */
  async certificate(runId: string): Promise<CertificateView | null> {
    return certificateView(await this.#certificate(runId));
  }

  /**
   * As it lies in the ledger; null where there is none. That is found anew each time: who asks for a certificate itself has
   * perhaps just seen its run end.
   */
  async rawCertificate(runId: string): Promise<unknown> {
    return (await this.#certificate(runId)) ?? (await this.#certificate(runId, 0));
  }

  #certificate(runId: string, maxAgeMs?: number): Promise<unknown> {
    const load = async () => (await this.#board.ledger?.getCertificate(runId)) ?? null;
    return this.#certificates.get(runId, load, maxAgeMs);
  }

  /** By the run's own count there may be none: then the quarantine is not asked. */
  quarantined({ run, latest }: KnownRun): Promise<readonly QuarantinePlace[]> {
    const known = latest?.figures.errors ?? run.summary?.quarantined;
    if (known === 0) return Promise.resolve([]);
    return this.#places.get(run.id, async () => {
      const store = await QuarantineStore.open(this.#client, { create: false });
      return (await store?.places(run.id)) ?? [];
    });
  }

  /** The newest records, of one domain where one is named. */
  audit(domain?: string, maxAgeMs?: number): Promise<AuditTail> {
    const read = async () => {
      const log = await AuditLog.open(this.#client, { create: false });
      const records: AuditRecord[] = [];
      let total = 0;
      for await (const record of log?.read(domain) ?? []) {
        total += 1;
        records.push(record);
        if (records.length > 2 * MOST_AUDIT_RECORDS) records.splice(0, MOST_AUDIT_RECORDS);
      }
      return { records: records.slice(-MOST_AUDIT_RECORDS).reverse(), total };
    };
    return this.#audit.get(domain ?? "", read, maxAgeMs);
  }

  async auditOf({ run }: KnownRun): Promise<readonly AuditRecord[]> {
    const { records } = await this.audit(run.settings.domain);
    return records.filter(({ runId }) => runId === run.id);
  }
}
