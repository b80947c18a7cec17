import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { Bench } from "./bench-setup.ts";
import { ProcessWatch } from "./process-watch.ts";

const BIN = fileURLToPath(new URL("../../node_modules/.bin/", import.meta.url));

export interface Measured {
  readonly seconds: number;
  /** Of the command itself, without processes that it started. */
  readonly cpuSeconds: number;
  readonly peakMiB: number;
}

/** A command as a user starts it: from its start to its end, Node's own included. Throws where it does not end with 0. */
export async function measureCommand(
  { urls, folder }: Bench,
  tool: string,
  args: readonly string[],
): Promise<Measured> {
  const began = performance.now();
  const child = spawn(join(BIN, tool), args, {
    cwd: folder,
    env: { ...process.env, ...urls },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const watch = new ProcessWatch(child.pid ?? 0);
  const closed = once(child, "close");
  const notes = await text(child.stderr);
  const [status] = (await closed) as [number | null];
  watch.stop();
  if (status !== 0) throw new Error(`Cannot measure ${tool} ${args.join(" ")}: it ended with ${status}.\n${notes}`);
  const { cpuMicros, peakBytes } = watch.root;
  return { seconds: (performance.now() - began) / 1000, cpuSeconds: cpuMicros / 1e6, peakMiB: peakBytes / 1024 ** 2 };
}

export function row(what: string, count: number, { seconds, cpuSeconds, peakMiB }: Measured): void {
  const rate = Math.round(count / seconds).toLocaleString("en");
  const [took, used] = [seconds.toFixed(1), cpuSeconds.toFixed(1)];
  console.log(
    `${what.padEnd(44)}${took.padStart(7)} s (CPU ${used} s)${rate.padStart(9)}/s${peakMiB.toFixed(0).padStart(6)} MiB`,
  );
}

export function bar(what: string, passed: boolean): boolean {
  console.log(`${passed ? "passed" : "FAILED"}  ${what}`);
  return passed;
}
