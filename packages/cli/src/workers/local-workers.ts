import { type ChildProcess, fork } from "node:child_process";
import { hostname } from "node:os";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { WorkerPool } from "@cim-replay/coordinator";
import { EXIT } from "../exit-status.ts";
import type { Settings } from "../settings/definitions.ts";
import { LostWorkersError } from "./lost-workers-error.ts";
import { nodeFlags, REOPEN_LOG, workerEnvironment } from "./worker-process.ts";

const WORKER_BIN = fileURLToPath(new URL("../../bin/cim-replay-worker.js", import.meta.url));
/** A worker that is told to stop writes a checkpoint first. */
const STOP_WITHIN_MS = 15_000;
/** Workers that ended by themselves and were replaced, before the run is given up. */
const MOST_REPLACEMENTS = 5;
const REPLACE_AFTER_MS = 500;
const REPLACE_AT_LEAST_EVERY_MS = 4_000;

interface Member {
  readonly id: string;
  readonly child: ChildProcess;
  readonly ready: Promise<void>;
  readonly exited: Promise<void>;
}

export interface LocalWorkerOptions {
  readonly settings: Settings;
  /** A worker's standard error, line by line, and what becomes of workers. */
  note(line: string): void;
}

/**
 * Worker processes of this one, for the length of a run. They live as long as the channel to their parent is open: when
 * it closes, by `stop` or because the parent was killed, they checkpoint and leave. One that ends by itself is replaced.
 */
export class LocalWorkers implements WorkerPool {
  readonly #options: LocalWorkerOptions;
  /** Aborts with a LostWorkersError when no worker is left that could be replaced: somebody must end the run. */
  readonly lost: AbortSignal;
  readonly #lost = new AbortController();
  readonly #members = new Set<Member>();
  #warmed: Member | null = null;
  #started = 0;
  #replaced = 0;
  #stopping = false;

  constructor(options: LocalWorkerOptions) {
    this.#options = options;
    this.lost = this.#lost.signal;
    // They append to the same log as this process, and have no other way to learn that it was moved away.
    if (options.settings.logFile !== null) process.on("SIGHUP", this.#passRotation);
  }

  readonly #passRotation = () => {
    for (const { child } of this.#members) if (child.connected) child.send(REOPEN_LOG);
  };

  /** Begins to start one worker, for `start` to use: its start takes as long as a plan does. */
  warm(): void {
    this.#warmed ??= this.#fork();
  }

  /** Adds `count` workers; resolves when each takes units, or was killed and is being replaced. `onExit` is told of each that leaves without being asked to. */
  async start(count: number, onExit: (workerId: string) => void): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.#startOne(onExit)));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    process.off("SIGHUP", this.#passRotation);
    const members = [...this.#members];
    for (const { child } of members) if (child.connected) child.disconnect();
    const patience = new AbortController();
    const late = sleep(STOP_WITHIN_MS, undefined, { signal: patience.signal }).then(
      () => members.forEach(({ child }) => void child.kill("SIGKILL")),
      () => undefined,
    );
    await Promise.all(members.map(({ exited }) => exited));
    patience.abort();
    await late;
  }

  async #startOne(onExit: (workerId: string) => void): Promise<void> {
    const failed = await this.#tryToStart(onExit);
    if (failed === null) return;
    if (failed.child.signalCode === null) throw startFailure(failed);
    // Killed before it was ready: as good a reason for another as later, and nothing that the run waits for.
    this.#replace(failed, onExit);
  }

  /** The member where it ended before it was ready. */
  async #tryToStart(onExit: (workerId: string) => void): Promise<Member | null> {
    const member = this.#warmed ?? this.#fork();
    this.#warmed = null;
    const { id, ready, exited } = member;
    const outcome = await Promise.race([ready.then(() => "ready" as const), exited.then(() => "exited" as const)]);
    if (outcome === "exited") return this.#stopping ? null : member;
    void exited.then(() => {
      if (this.#stopping) return;
      onExit(id);
      this.#replace(member, onExit);
    });
    return null;
  }

  #replace(ended: Member, onExit: (workerId: string) => void): void {
    this.#startAnother(ended, onExit).catch((error: unknown) => this.#lost.abort(error));
  }

  #fork(): Member {
    const { settings, note } = this.#options;
    const id = `${hostname()}-${process.pid}-w${++this.#started}`;
    const child = fork(WORKER_BIN, ["--managed", id], {
      execArgv: nodeFlags(settings),
      env: { ...process.env, ...workerEnvironment(settings) },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    if (child.stderr) createInterface({ input: child.stderr }).on("line", note);
    const exited = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    const ready = new Promise<void>((resolve) => child.once("message", () => resolve()));
    const member = { id, child, ready, exited };
    this.#members.add(member);
    void exited.then(() => this.#members.delete(member));
    return member;
  }

  /** Resolves when another takes units in the place of one that ended, or the pool is stopped. @throws LostWorkersError */
  async #startAnother(ended: Member, onExit: (workerId: string) => void): Promise<void> {
    this.#countReplacement(ended);
    this.#options.note(`Worker ${ended.id} ended with ${endOf(ended)}; another takes its place.`);
    for (let waitMs = REPLACE_AFTER_MS; ; waitMs = Math.min(waitMs * 2, REPLACE_AT_LEAST_EVERY_MS)) {
      await sleep(waitMs);
      if (this.#stopping) return;
      const failed = await this.#tryToStart(onExit);
      if (failed === null) return;
      // A server that is away now may be back soon; how long the run waits for it is the coordinator's to say.
      if (failed.child.exitCode === EXIT.unreachable) continue;
      if (failed.child.signalCode === null) throw startFailure(failed);
      this.#countReplacement(failed);
    }
  }

  #countReplacement(ended: Member): void {
    if (++this.#replaced <= MOST_REPLACEMENTS) return;
    throw new LostWorkersError(
      `Cannot go on: local workers keep ending, the last with ${endOf(ended)}. Where that is SIGKILL or SIGABRT, memory ran out: resume with a smaller --batch-size and --prefetch, or start again with more --units.`,
    );
  }
}

function startFailure(failed: Member): LostWorkersError {
  return new LostWorkersError(
    `Cannot start a local worker: it ended with ${endOf(failed)}. See its message above, or start \`cim-replay worker\` yourself.`,
  );
}

function endOf({ child }: Member): string {
  return child.signalCode ?? `status ${child.exitCode}`;
}
