import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

/** What one measurement gave. */
export interface Reading {
  readonly events: number;
  /** What rates and ratios are made of. */
  readonly seconds: number;
  /** CPU time of what does the work; of the NATS server meanwhile; of what only coordinates. */
  readonly workerMicros: number;
  readonly serverMicros: number;
  readonly coordinatorMicros: number;
  /** The most memory that one of the processes which do the work had resident. */
  readonly peakBytes: number;
  /** From the start of the command to its end, and to its first unit at work; null where it is no command. */
  readonly commandSeconds: number | null;
  readonly firstUnitSeconds: number | null;
}

/** What a probe is told, and what it says on standard output: one line of JSON each. */
export interface ProbeTask {
  readonly url: string;
  readonly stream: string;
  readonly bucket: string;
  readonly events: number;
}
export interface ProbeResult {
  readonly seconds: number;
  readonly cpuMicros: number;
  readonly peakBytes: number;
}

/** Runs a file of `probes/` in a process of its own, so that no measurement meets another's heap. */
export async function runProbe(name: string, task: ProbeTask): Promise<ProbeResult> {
  const file = fileURLToPath(new URL(`probes/${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, file, JSON.stringify(task)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const output = await text(child.stdout);
  const status = await ended;
  if (status !== 0) throw new Error(`Cannot measure ${name}: its process ended with status ${status}.`);
  return JSON.parse(output) as ProbeResult;
}
