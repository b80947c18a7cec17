import { ReplayProcess } from "../support/replay-process.ts";
import type { Sandbox } from "./sandbox.ts";

const PATIENCE_MS = 120_000;

/** A replay that takes long enough for what operators do meanwhile; it writes into a bucket of its own. */
export class RunAtWork {
  readonly #replay: ReplayProcess;

  static async start(sandbox: Sandbox, domain: string): Promise<RunAtWork> {
    const args = ["--domain", domain, "--target", "slowly-rebuilt", "--units", "1", "--batch-size", "20"];
    const env = { ...sandbox.env, ...sandbox.slowEnv };
    const run = new RunAtWork(new ReplayProcess("event-replay", args, { env, cwd: sandbox.folder }));
    try {
      await run.#replay.says(/ [1-9]\d* read, /, PATIENCE_MS);
    } catch (error) {
      await run.interrupt();
      throw error;
    }
    return run;
  }

  private constructor(replay: ReplayProcess) {
    this.#replay = replay;
  }

  /** As Ctrl-C does; returns the exit status. */
  async interrupt(): Promise<number | NodeJS.Signals> {
    this.#replay.kill("SIGINT");
    return this.#replay.exited;
  }
}
