import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ReplayError } from "@cim-replay/core";
import type { StartedProcess } from "@cim-replay/dashboard";
import { ACTS_FOR } from "../audit.ts";
import { EXIT } from "../exit-status.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { workerEnvironment } from "../workers/worker-process.ts";

const MOST_LINES = 200;
const MOST_ENDED = 50;
/** What is wrong with a command shows at once; a run takes longer. */
const FAILS_WITHIN_MS = 2_500;
/** A run that is told to stop writes a checkpoint first. */
const STOP_WITHIN_MS = 20_000;

interface Child {
  readonly id: string;
  readonly command: string;
  readonly startedAt: string;
  readonly who: string;
  readonly process: ChildProcess;
  readonly exited: Promise<number | null>;
  exit: string | null;
  readonly output: string[];
}

/** Commands that the dashboard runs for people, each in a process of its own. They end with it, at a checkpoint. */
export class ChildProcesses {
  readonly #loaded: LoadedSettings;
  readonly #children: Child[] = [];
  #started = 0;
  #isClosing = false;

  constructor(loaded: LoadedSettings) {
    this.#loaded = loaded;
  }

  /** Newest first. */
  list(): readonly StartedProcess[] {
    return this.#children.toReversed();
  }

  /** Gives its id once it is well on its way, or done. Throws ReplayError with its own words where it fails at once. */
  async start(tool: string, args: readonly string[], who: string): Promise<string> {
    if (this.#isClosing) throw new ReplayError(`Cannot start ${tool}: the dashboard is ending. Start it in another.`);
    const child = this.#spawn(tool, args, who);
    const failed = await Promise.race([child.exited.then((status) => status !== EXIT.done), sleep(FAILS_WITHIN_MS)]);
    if (failed === true) {
      throw new ReplayError(
        child.output.slice(-5).join("\n") || `Cannot run ${child.command}: it ended with ${child.exit}.`,
      );
    }
    return child.id;
  }

  /** Lets runs write a checkpoint and end. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const left = this.#children.filter(({ exit }) => exit === null);
    for (const { process: child } of left) child.kill("SIGTERM");
    const late = new AbortController();
    const patience = sleep(STOP_WITHIN_MS, undefined, { signal: late.signal }).then(
      () => left.forEach(({ process: child }) => void child.kill("SIGKILL")),
      () => undefined,
    );
    await Promise.all(left.map(({ exited }) => exited));
    late.abort();
    await patience;
  }

  #spawn(tool: string, args: readonly string[], who: string): Child {
    const bin = fileURLToPath(new URL(`../../bin/${tool}.js`, import.meta.url));
    const started = spawn(process.execPath, [bin, ...args], {
      env: { ...process.env, ...this.#environment(), [ACTS_FOR]: who },
      stdio: ["ignore", "pipe", "pipe"],
      // A terminal's Ctrl-C is for the dashboard, which then tells them to end: twice would mean at once.
      detached: true,
    });
    const output: string[] = [];
    for (const stream of [started.stdout, started.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        output.push(line);
        if (output.length > MOST_LINES) output.shift();
      });
    }
    const exited = new Promise<number | null>((resolve) => {
      // Not "exit": what it said last is read by then.
      started.once("close", (status) => resolve(status));
      started.once("error", () => resolve(null));
    });
    this.#started += 1;
    const child: Child = {
      ...{ id: String(this.#started), command: [tool, ...args].join(" "), startedAt: new Date().toISOString(), who },
      ...{ process: started, exited, exit: null, output },
    };
    void exited.then((status) => {
      child.exit = started.signalCode ?? `status ${status}`;
    });
    this.#children.push(child);
    this.#forgetOldest();
    return child;
  }

  /** The same servers, by environment and not by flags; and the settings file that is this one's. */
  #environment(): Record<string, string | undefined> {
    const { settings, hasFile, filePath } = this.#loaded;
    return {
      ...workerEnvironment(settings),
      CIM_REPLAY_CONCURRENCY: process.env.CIM_REPLAY_CONCURRENCY,
      CIM_REPLAY_CONFIG: hasFile ? filePath : process.env.CIM_REPLAY_CONFIG,
      CIM_REPLAY_DASHBOARD_PASSWORD: undefined,
    };
  }

  #forgetOldest(): void {
    const ended = this.#children.filter(({ exit }) => exit !== null);
    for (const child of ended.slice(0, Math.max(0, ended.length - MOST_ENDED))) {
      this.#children.splice(this.#children.indexOf(child), 1);
    }
  }
}
