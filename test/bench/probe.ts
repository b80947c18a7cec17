import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { Bench } from "./bench-setup.ts";
import type { Dataset } from "./dataset.ts";
import { cpuMicros } from "./proc-files.ts";
import type { ProbeResult, ProbeTask } from "./probe-task.ts";
import type { Reading } from "./reading.ts";

export type ProbeName = "raw-read" | "fold-then-put" | "put-per-event";

/** Runs a file of `probes/` in a process of its own, so that no measurement meets another's heap. */
export async function runProbe(
  { client, servers }: Bench,
  name: ProbeName,
  { stream }: Dataset,
  events: number,
): Promise<Reading> {
  const bucket = `bench-${crypto.randomUUID()}`;
  const serverBefore = cpuMicros(servers.nats.pid) ?? 0;
  const result = await inChild(name, { url: servers.nats.url, stream, bucket, events });
  const serverMicros = (cpuMicros(servers.nats.pid) ?? 0) - serverBefore;
  if (name !== "raw-read") await client.jsm.streams.delete(`KV_${bucket}`);
  return {
    events,
    seconds: result.seconds,
    workerMicros: result.cpuMicros,
    serverMicros,
    coordinatorMicros: 0,
    peakBytes: result.peakBytes,
    commandSeconds: null,
    firstUnitSeconds: null,
  };
}

async function inChild(name: ProbeName, task: ProbeTask): Promise<ProbeResult> {
  const file = fileURLToPath(new URL(`probes/${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, file, JSON.stringify(task)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  const output = await text(child.stdout);
  const [status] = (await closed) as [number | null];
  if (status !== 0) throw new Error(`Cannot measure ${name}: its process ended with status ${status}.`);
  return JSON.parse(output) as ProbeResult;
}
