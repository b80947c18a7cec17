import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import type { ServerProgram } from "./program.ts";

const PATIENCE_MS = 10_000;

/** Starts the program in a session of its own (Ctrl-C in a terminal does not reach it); its output goes to `logFile`. */
export function spawnServer(
  program: ServerProgram,
  args: readonly string[],
  cwd: string,
  logFile: string,
): ChildProcess {
  const log = openSync(logFile, "a");
  try {
    const env = { ...process.env, ...program.env };
    const child = spawn(program.path, args, { stdio: ["ignore", log, log], env, cwd, detached: true });
    // A program that cannot be started has no pid: hasExited() tells, a throw from an event would tell nobody.
    child.on("error", () => {});
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

/**
 * Kills the child and removes `tempDir` when this process ends, however it ends (also by SIGKILL): a shell waits at a
 * pipe that only this process holds open. The shell goes away with the child.
 */
export function endWithParent(child: ChildProcess, pid: number, tempDir: string | null): void {
  const script = 'read -r _; kill -KILL "$1"; [ -z "$2" ] || { sleep 0.2; rm -rf "$2"; }';
  const args = ["-c", script, "sh", String(pid), tempDir ?? ""];
  const watchdog = spawn("/bin/sh", args, { stdio: ["pipe", "ignore", "ignore"], detached: true });
  watchdog.unref();
  // The pipe is a socket underneath; open, it would keep this process alive.
  if (watchdog.stdin !== null && "unref" in watchdog.stdin) (watchdog.stdin as { unref(): void }).unref();
  child.once("exit", () => watchdog.kill("SIGKILL"));
}

export function hasExited(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

/** Ends the child (where SIGTERM does not within ten seconds, SIGKILL does) and resolves when it is gone. */
export async function endChild(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (hasExited(child)) return;
  // An unreferenced child would not keep this process alive until its end is seen.
  child.ref();
  const exited = once(child, "exit");
  const impatience = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  child.kill(signal);
  // A stopped process acts on SIGTERM only once it goes on.
  child.kill("SIGCONT");
  await exited;
  clearTimeout(impatience);
}
