import { spawn } from "node:child_process";
import { errorMessage } from "@cim-replay/core";

/** A program and its arguments, never put together to a text. */
export type Argv = readonly [program: string, ...args: string[]];

export interface Ran {
  /** Null where it could not be started, was killed, or took too long. */
  readonly status: number | null;
  readonly stdout: string;
  /** What went wrong, in one line; empty where nothing did. */
  readonly trouble: string;
}

const MOST_OUTPUT_CHARS = 16 * 2 ** 20;
const MOST_TROUBLE_CHARS = 300;

/**
 * Runs a program without a shell, in a process group of its own that is killed as a whole when `timeoutMs` have passed or
 * `signal` aborts: what a script has started must not keep it alive. Never rejects.
 */
export function runProgram(
  [program, ...args]: Argv,
  options: { readonly cwd: string; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: options.cwd, stdio: ["ignore", "pipe", "pipe"], detached: true });
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        if (output[name].length < MOST_OUTPUT_CHARS) output[name] += text;
      });
    }
    let ended: string | null = null;
    const end = (why: string) => {
      ended ??= why;
      killGroup(child.pid);
      // A grandchild that left the group may hold the pipes open for ever.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const timer = setTimeout(
      () => end(`${program} did not end within ${options.timeoutMs / 1000} s`),
      options.timeoutMs,
    );
    const interrupt = () => end("interrupted");
    if (options.signal.aborted) interrupt();
    options.signal.addEventListener("abort", interrupt);
    const done = (status: number | null, failure: string) => {
      clearTimeout(timer);
      options.signal.removeEventListener("abort", interrupt);
      resolve({ status: ended === null ? status : null, stdout: output.stdout, trouble: ended ?? failure });
    };
    child.on("error", (error) => done(null, `${program} cannot be run (${errorMessage(error)})`));
    child.on("close", (status, killedBy) => {
      const how = status === null ? `was killed by ${killedBy}` : `ended with status ${status}`;
      done(status, status === 0 ? "" : `${program} ${how}${lastWords(output)}`);
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}

function lastWords({ stdout, stderr }: { stdout: string; stderr: string }): string {
  const said = (stderr.trim() || stdout.trim()).replace(/\s+/g, " ");
  return said === "" ? "" : `: ${said.slice(-MOST_TROUBLE_CHARS)}`;
}
