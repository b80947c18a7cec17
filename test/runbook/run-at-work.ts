import { ReplayProcess } from "../support/replay-process.ts";
import type { Sandbox } from "./sandbox.ts";

/** A replay that takes long enough for what operators do meanwhile; it writes into a bucket of its own. */
export class RunAtWork {
  readonly #replay: ReplayProcess;

  static async start(sandbox: Sandbox, domain: string): Promise<RunAtWork> {
    const args = ["--domain", domain, "--target", "slowly-rebuilt", "--units", "1", "--batch-size", "20"];
    const env = { ...sandbox.env, ...sandbox.slowEnv };
    const run = new RunAtWork(new ReplayProcess("event-replay", args, { env, cwd: sandbox.folder }));
    await run.#replay.says(/ [1-9]\d* read, /);
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
