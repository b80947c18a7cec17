import { type ChildProcess, fork } from "node:child_process";
import { hostname } from "node:os";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { WorkerPool } from "@cim-replay/coordinator";
import { ReplayError } from "@cim-replay/core";
import type { Settings } from "../settings/definitions.ts";

const WORKER_BIN = fileURLToPath(new URL("../../bin/cim-replay-worker.js", import.meta.url));
/** A worker that is told to stop writes a checkpoint first. */
const STOP_WITHIN_MS = 15_000;
/** The rest of the limit is for what the collector does not manage: socket buffers, packed checkpoints, code. */
const HEAP_SHARE = 0.75;

interface Member {
  readonly id: string;
  readonly child: ChildProcess;
  readonly exited: Promise<void>;
}

export interface LocalWorkerOptions {
  readonly settings: Settings;
  /** A worker's standard error, line by line. */
  note(line: string): void;
}

/**
 * Worker processes of this one, for the length of a run. They live as long as the channel to their parent is open: when
 * it closes, by `stop` or because the parent was killed, they checkpoint and leave.
 */
export class LocalWorkers implements WorkerPool {
  readonly #options: LocalWorkerOptions;
  readonly #members = new Set<Member>();
  #started = 0;

  constructor(options: LocalWorkerOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#members.size;
  }

  /** Adds `count` workers; resolves when all take units. `onExit` is told of each that leaves without being asked to. */
  async start(count: number, onExit: (workerId: string) => void): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.#startOne(onExit)));
  }

  async stop(): Promise<void> {
    const members = [...this.#members];
    this.#members.clear();
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
    const { settings, note } = this.#options;
    const id = `${hostname()}-${process.pid}-w${++this.#started}`;
    const child = fork(WORKER_BIN, ["--managed", id], {
      execArgv: nodeFlags(settings),
      env: { ...process.env, ...workerEnvironment(settings) },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    if (child.stderr) createInterface({ input: child.stderr }).on("line", note);
    const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const member = { id, child, exited };
    this.#members.add(member);
    const ready = new Promise<void>((resolve) => child.once("message", () => resolve()));
    const outcome = await Promise.race([ready.then(() => "ready" as const), exited.then(() => "exited" as const)]);
    if (outcome === "exited") {
      this.#members.delete(member);
      throw new ReplayError(
        `Cannot start a local worker: it ended with ${child.signalCode ?? `status ${child.exitCode}`}. See its message above, or start \`cim-replay worker\` by hand.`,
      );
    }
    void exited.then(() => {
      if (this.#members.delete(member)) onExit(id);
    });
  }
}

function nodeFlags(settings: Settings): string[] {
  // A young generation below 32 MB promotes events that are garbage a moment later.
  const flags = ["--max-semi-space-size=32"];
  if (settings.memoryLimit !== null) {
    flags.push(`--max-old-space-size=${Math.max(64, Math.floor((settings.memoryLimit * HEAP_SHARE) / 2 ** 20))}`);
  }
  if (settings.gcInterval !== null) flags.push("--expose-gc");
  return flags;
}

/** By environment and not by flags, where `ps` would show a URL's password to everybody. */
function workerEnvironment(settings: Settings): Record<string, string> {
  return {
    NATS_URL: settings.natsUrl,
    REDIS_URL: settings.redisUrl,
    CIM_REPLAY_QUEUE_PREFIX: settings.queuePrefix,
    CIM_REPLAY_LOCK_DURATION: `${settings.lockDuration}ms`,
    CIM_REPLAY_STALLED_INTERVAL: `${settings.stalledInterval}ms`,
    CIM_REPLAY_CONCURRENCY: String(settings.concurrency),
    CIM_REPLAY_METRICS_PORT: "off",
    CIM_REPLAY_LOG_LEVEL: settings.logLevel,
    CIM_REPLAY_LOG_FILE: settings.logFile ?? "none",
  };
}
