import { setTimeout as sleep } from "node:timers/promises";
import { errorMessage, isUnfinished, type RunRecord } from "@cim-replay/core";
import { Ledger, type NatsClient } from "@cim-replay/nats";
import { History } from "./history.ts";
import type { RunLook, RunWatch } from "./ports.ts";

/** Runs at work are looked at so often, whoever watches: their charts begin with them. */
const LOOK_EVERY_MS = 1_000;
/** Changes are told as they happen; a listing finds what was missed. */
const LIST_EVERY_MS = 15_000;
/** Ended runs whose last look and chart stay in memory. */
const MOST_ENDED = 50;
/** Without a whole look for so long, what is shown may be old. */
const LATE_MS = 10_000;
/** A look that waits for a server that is away is not waited for at the end. */
const LEAVE_WITHIN_MS = 1_000;

export interface KnownRun {
  readonly run: RunRecord;
  /** Null until it was looked at: of ended runs, when somebody opens them. */
  readonly latest: RunLook | null;
  readonly history: History;
  /** Why it could not be looked at. */
  readonly trouble: string | null;
}

interface Followed {
  watch: RunWatch;
  latest: RunLook | null;
  looking: Promise<void> | null;
  trouble: string | null;
  readonly history: History;
}

/** What the ledger knows of runs, kept fresh in the background, so that a page costs the servers nothing however many look at it. */
export class RunBoard {
  readonly #client: NatsClient;
  readonly #watchRun: (runId: string) => RunWatch;
  readonly #runs = new Map<string, RunRecord>();
  readonly #followed = new Map<string, Followed>();
  #ledger: Ledger | null = null;
  #unsubscribe = () => {};
  #isClosed = false;
  #listedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #ticking: Promise<void> = Promise.resolve();
  #tickedAt = performance.now();
  #trouble: string | null = null;

  constructor(client: NatsClient, watchRun: (runId: string) => RunWatch) {
    this.#client = client;
    this.#watchRun = watchRun;
  }

  /** Why what is known may be old, in words; null where all is well. */
  get trouble(): string | null {
    if (!this.#client.link.up) return "NATS does not answer.";
    if (performance.now() - this.#tickedAt > LATE_MS) return "The ledger answers slowly, or not at all.";
    return this.#trouble;
  }

  /** Null before any run was ever begun on these servers. */
  get ledger(): Ledger | null {
    return this.#ledger;
  }

  async start(): Promise<void> {
    await this.#tick();
    const again = () => {
      if (this.#isClosed) return;
      this.#timer = setTimeout(() => {
        this.#ticking = this.#tick().finally(again);
      }, LOOK_EVERY_MS);
    };
    again();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await Promise.race([this.#ticking, sleep(LEAVE_WITHIN_MS, undefined, { ref: false })]);
    this.#unsubscribe();
    for (const { watch } of this.#followed.values()) watch.close();
  }

  /** Newest first. */
  list(): KnownRun[] {
    return [...this.#runs.values()]
      .sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt) || (a.id < b.id ? 1 : -1))
      .map((run) => this.#known(run));
  }

  /** With a look at it that is a second old at most; null where there is none of that id. */
  async open(runId: string): Promise<KnownRun | null> {
    if (!this.#runs.has(runId)) await this.#read(runId);
    const run = this.#runs.get(runId);
    if (!run) return null;
    const followed = this.#follow(runId);
    if (followed.latest === null || isStale(followed.latest, run)) {
      // Without a look there is still the run's record.
      await this.#look(runId, followed).catch(() => undefined);
    }
    return this.#known(this.#runs.get(runId) ?? run);
  }

  /** One run that cannot be read is that run's trouble; the others are looked at all the same. */
  async #tick(): Promise<void> {
    try {
      await this.#list();
      // What nobody waited for was refused as well.
      this.#client.denials.throwIfAny("follow the runs");
      this.#trouble = null;
    } catch (error) {
      this.#trouble = errorMessage(error);
    }
    const toLook = [...this.#runs.keys()].filter((id) => this.#isAtWork(id) || this.#hasJustEnded(id));
    await Promise.allSettled(toLook.map((id) => this.#look(id, this.#follow(id))));
    this.#forgetOldest();
    this.#tickedAt = performance.now();
  }

  #isAtWork(runId: string): boolean {
    const run = this.#runs.get(runId);
    return run !== undefined && isAtWork(run);
  }

  /** Its last look is from before its end: one more, and it rests. */
  #hasJustEnded(runId: string): boolean {
    const latest = this.#followed.get(runId)?.latest;
    return latest !== undefined && latest !== null && isAtWork(latest.figures.run);
  }

  async #list(): Promise<void> {
    if (this.#ledger === null) {
      this.#ledger = await Ledger.open(this.#client);
      if (this.#ledger === null) return;
      this.#unsubscribe = this.#ledger.onRunChange((runId) => {
        this.#read(runId).catch((error) => {
          this.#trouble = errorMessage(error);
        });
      });
    }
    if (performance.now() - this.#listedAt < LIST_EVERY_MS) return;
    const runs = await this.#ledger.listRuns();
    this.#listedAt = performance.now();
    this.#runs.clear();
    for (const run of runs) this.#runs.set(run.id, run);
  }

  async #read(runId: string): Promise<void> {
    const run = await this.#ledger?.getRun(runId);
    if (run) this.#runs.set(runId, run.record);
  }

  #follow(runId: string): Followed {
    const followed = this.#followed.get(runId) ?? {
      ...{ watch: this.#watchRun(runId), latest: null, looking: null, trouble: null },
      history: new History(),
    };
    // Looked at last, so that it is forgotten last.
    this.#followed.delete(runId);
    this.#followed.set(runId, followed);
    return followed;
  }

  #look(runId: string, followed: Followed): Promise<void> {
    followed.looking ??= this.#lookNow(runId, followed).finally(() => {
      followed.looking = null;
    });
    return followed.looking;
  }

  async #lookNow(runId: string, followed: Followed): Promise<void> {
    try {
      followed.latest = await followed.watch.look();
      followed.trouble = null;
    } catch (error) {
      followed.trouble = errorMessage(error);
      throw error;
    }
    const { run, eventsPerSecond, lagSeconds } = followed.latest.figures;
    this.#runs.set(runId, run);
    if (run.state === "running") followed.history.add({ atMs: Date.now(), eventsPerSecond, lagSeconds });
    else followed.history.pause(Date.now());
  }

  #forgetOldest(): void {
    const ended = [...this.#followed].filter(([runId]) => !this.#isAtWork(runId));
    for (const [runId, { watch }] of ended.slice(0, Math.max(0, ended.length - MOST_ENDED))) {
      watch.close();
      this.#followed.delete(runId);
    }
  }

  #known(run: RunRecord): KnownRun {
    const followed = this.#followed.get(run.id);
    const { latest = null, history = new History(), trouble = null } = followed ?? {};
    return { run, latest, history, trouble };
  }
}

function isAtWork({ state }: RunRecord): boolean {
  return state === "planned" || state === "running" || state === "verifying" || state === "paused";
}

/** What is at work is looked at by the clock; what rests only when it has changed. */
function isStale({ figures }: RunLook, run: RunRecord): boolean {
  return figures.run.state !== run.state || (isUnfinished(run) && !isAtWork(run));
}
