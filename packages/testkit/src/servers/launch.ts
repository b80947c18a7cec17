import type { ChildProcess } from "node:child_process";
import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { endChild, hasExited, spawnServer } from "./child.ts";
import type { ServerProgram } from "./program.ts";

/** A started server's process; where it did not get ready, that process has been ended and `failure` says why. */
export interface Launched {
  readonly child: ChildProcess;
  readonly failure: string | null;
}

const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 20;

/**
 * Starts a program in its folder and waits until it is ready. `adopt` is called with the new process before the wait:
 * whoever is to end it must know it from the beginning.
 */
export async function launch(
  program: ServerProgram,
  dir: string,
  port: number,
  adopt: (child: ChildProcess, pid: number) => void | Promise<void>,
): Promise<Launched> {
  await mkdir(dir, { recursive: true });
  const log = logFileOf(program, dir);
  const oldLogBytes = (await stat(log).catch(() => null))?.size ?? 0;
  const child = spawnServer(program, await program.prepare(dir, port), dir, log);
  if (child.pid !== undefined) await adopt(child, child.pid);
  const failure = await untilReady(program, port, child);
  if (failure === null) return { child, failure };
  await endChild(child, "SIGKILL");
  return { child, failure: `${failure}: ${await tellingLine(log, oldLogBytes)}. Its log is ${log}` };
}

export function logFileOf(program: ServerProgram, dir: string): string {
  return join(dir, `${program.scheme}.log`);
}

export function isPortTaken(failure: string): boolean {
  return /address already in use/i.test(failure);
}

async function untilReady(program: ServerProgram, port: number, child: ChildProcess): Promise<string | null> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (Date.now() < deadline) {
    if (hasExited(child)) return "it ended";
    if (await program.isReady(port)) return null;
    await sleep(POLL_MS);
  }
  return `it was not ready after ${READY_TIMEOUT_MS / 1000} s`;
}

/** The last line of this start's log, or the one about the port: servers may say more after that. */
async function tellingLine(logFile: string, fromByte: number): Promise<string> {
  const bytes = await readFile(logFile).catch(() => Buffer.alloc(0));
  const lines = bytes.subarray(fromByte).toString().trim().split("\n");
  return lines.findLast(isPortTaken) ?? (lines.at(-1) || "it wrote no log");
}
