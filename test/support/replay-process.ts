import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { until } from "./until.ts";

const BIN = fileURLToPath(new URL("../../node_modules/.bin/", import.meta.url));

/** One of the project's commands, as a user's shell starts it. */
export class ReplayProcess {
  readonly tool: string;
  readonly exited: Promise<number | NodeJS.Signals>;
  readonly #child: ChildProcess;
  #stdout = "";
  #stderr = "";

  constructor(tool: string, args: readonly string[], options: { env: NodeJS.ProcessEnv; cwd: string }) {
    this.tool = tool;
    this.#child = spawn(`${BIN}${tool}`, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    this.#child.stdout?.on("data", (text) => {
      this.#stdout += text;
    });
    this.#child.stderr?.on("data", (text) => {
      this.#stderr += text;
    });
    this.exited = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      // Not "close": workers hold on to their parent's stderr no longer than themselves, but that is what is tested.
      this.#child.once("exit", (code, signal) => setTimeout(() => resolve(code ?? signal ?? "SIGKILL"), 20));
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.tool} could not be started`);
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Everything it said, for a failing test's message. */
  get said(): string {
    return `${this.tool} (${this.pid}) said:\n${this.#stdout}${this.#stderr}`;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits until standard error has text that fits. */
  async says(pattern: RegExp, withinMs?: number): Promise<void> {
    await until(
      () => pattern.test(this.#stderr),
      () => `${pattern} from ${this.said}`,
      withinMs,
    );
  }
}
