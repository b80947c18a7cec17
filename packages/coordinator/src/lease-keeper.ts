import { randomBytes } from "node:crypto";
import { readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { errorMessage, type Lease, type Log, ReplayError } from "@cim-replay/core";
import type { Ledger, Versioned } from "@cim-replay/nats";

const TTL_MS = 6_000;
const RENEW_MS = 1_500;
const LOOK_MS = 300;

/** Names this process among all coordinators, and tells others on the same machine whether it still lives. */
export const coordinatorId = `${here()}/${process.pid}/${randomBytes(4).toString("hex")}`;

export interface LeaseSubject {
  readonly domain: string;
  readonly target: string;
  /** Or `commandHolder` of a command that is no run. */
  readonly runId: string;
}

/** In place of a run's id: no run's id holds a slash. */
export function commandHolder(command: string): string {
  return `command/${command}`;
}

/** Who holds a lease, for people: `run 20260131-…`, `clear-projections`. */
export function holderText(runId: string): string {
  return runId.startsWith("command/") ? runId.slice("command/".length) : `run ${runId}`;
}

/**
 * The right to write a domain into a target, held by one coordinator at a time. A holder that no longer renews is gone:
 * its renewals are watched for the lease's own length, so that no clocks are compared.
 */
export class LeaseKeeper {
  /** The run whose dead coordinator this lease was taken from, where there was one. */
  readonly takenFrom: string | null;
  readonly #ledger: Ledger;
  readonly #subject: LeaseSubject;
  readonly #log: Log;
  #revision: number;
  #renewal = 0;
  #timer: NodeJS.Timeout | null = null;
  #renewing: Promise<void> = Promise.resolve();
  #lost: Error | null = null;

  private constructor(ledger: Ledger, subject: LeaseSubject, revision: number, takenFrom: string | null, log: Log) {
    this.#ledger = ledger;
    this.#subject = subject;
    this.#revision = revision;
    this.takenFrom = takenFrom;
    this.#log = log;
    this.#schedule();
  }

  /** Throws ReplayError, naming the run, where a living coordinator holds it. */
  static async acquire(ledger: Ledger, subject: LeaseSubject, log: Log): Promise<LeaseKeeper> {
    for (;;) {
      const held = await ledger.getLease(subject.domain, subject.target);
      if (held && (await isAlive(ledger, subject, held))) throw heldBy(held.record, subject);
      const lease = newLease(subject.runId, 0);
      const revision = await ledger.takeLease(subject.domain, subject.target, lease, held?.revision ?? null);
      if (revision === null) continue;
      const takenFrom = held && held.record.runId !== subject.runId ? held.record.runId : null;
      return new LeaseKeeper(ledger, subject, revision, takenFrom, log);
    }
  }

  /** Throws where another coordinator took the lease. */
  assertHeld(): void {
    if (this.#lost) throw this.#lost;
  }

  async release(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    // A renewal on its way changes the revision that is to be released.
    await this.#renewing;
    if (this.#lost) return;
    await this.#ledger.releaseLease(this.#subject.domain, this.#subject.target, this.#revision);
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#renewing = this.#renew()
        .catch((error: unknown) => this.#log.warn({ error: errorMessage(error) }, "the lease could not be renewed"))
        .finally(() => {
          if (!this.#lost && this.#timer) this.#schedule();
        });
    }, RENEW_MS);
    this.#timer.unref();
  }

  async #renew(): Promise<void> {
    this.#renewal += 1;
    const lease = newLease(this.#subject.runId, this.#renewal);
    const { domain, target, runId } = this.#subject;
    const revision =
      (await this.#ledger.renewLease(domain, target, lease, this.#revision)) ?? (await this.#ownRevision());
    if (revision !== null) {
      this.#revision = revision;
      return;
    }
    this.#lost = new ReplayError(
      `Cannot go on with ${holderText(runId)}: another coordinator has taken over ${domain} in ${target}. See \`replay-list\`.`,
    );
  }

  /** An earlier renewal that was given up for want of an answer may have been stored after all. Null where it is another's. */
  async #ownRevision(): Promise<number | null> {
    const { domain, target, runId } = this.#subject;
    const held = await this.#ledger.getLease(domain, target);
    const isOurs = held?.record.coordinatorId === coordinatorId && held.record.runId === runId;
    return isOurs ? held.revision : null;
  }
}

/** Whether anybody coordinates this run now; watches for up to the lease's length. */
export async function isCoordinated(ledger: Ledger, subject: LeaseSubject): Promise<boolean> {
  const held = await ledger.getLease(subject.domain, subject.target);
  return held !== null && held.record.runId === subject.runId && (await isAlive(ledger, subject, held));
}

async function isAlive(ledger: Ledger, subject: LeaseSubject, held: Versioned<Lease>): Promise<boolean> {
  if (isDeadHere(held.record.coordinatorId)) return false;
  // Counted in looks and not by the clock: while NATS is away, the holder cannot renew either.
  for (let watchedMs = 0; watchedMs < held.record.ttlMs; watchedMs += LOOK_MS) {
    await sleep(LOOK_MS);
    const later = await ledger.getLease(subject.domain, subject.target);
    if (!later) return false;
    if (later.revision !== held.revision) return true;
  }
  return false;
}

/** True where the holder ran on this machine and its process is no more. */
function isDeadHere(id: string): boolean {
  const [host, pid] = id.split("/");
  if (host !== here() || !pid) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ESRCH";
  }
}

function newLease(runId: string, renewal: number): Lease {
  return { version: 1, runId, coordinatorId, renewal, ttlMs: TTL_MS };
}

function heldBy({ runId, coordinatorId: holder }: Lease, { domain, target }: LeaseSubject): ReplayError {
  const isRun = holderText(runId) === `run ${runId}`;
  const what = isRun ? "is rebuilding" : "is at work on";
  const next = isRun
    ? `Watch it with \`replay-status --run ${runId}\`, or end it with \`cancel-replay --run ${runId}\`.`
    : "Try again when it has ended.";
  return new ReplayError(`Cannot start: ${holderText(runId)} ${what} ${domain} in ${target} (${holder}). ${next}`);
}

/** This machine; containers may share its name, but not the numbers of their processes. */
function here(): string {
  try {
    return `${hostname()}-${readlinkSync("/proc/self/ns/pid").replace(/\D/g, "")}`;
  } catch {
    return hostname();
  }
}
