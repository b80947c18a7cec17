import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { Bench } from "./bench-setup.ts";
import type { ProbeWork } from "./case.ts";
import { perEvent } from "./command-run.ts";
import type { Dataset } from "./dataset.ts";
import { withPeerServices } from "./peers/services.ts";
import type { ProbeResult, ProbeTask } from "./probe-task.ts";
import type { Measured } from "./reading.ts";

const PROGRAMS: Readonly<Record<ProbeWork["program"], string>> = {
  "raw-read": "probes/raw-read.ts",
  "fold-then-put": "probes/fold-then-put.ts",
  "put-per-event": "probes/put-per-event.ts",
  stages: "probes/stages.ts",
  "bullmq-job-per-event": "peers/bullmq-job-per-event.ts",
  "emmett-rebuild": "peers/emmett-rebuild.ts",
};

/** Runs a probe in a process of its own, so that no measurement meets another's heap. */
export async function runProbe(bench: Bench, work: ProbeWork, dataset: Dataset): Promise<Measured> {
  const { client, urls } = bench;
  const { program, events, projection } = work;
  const bucket = `bench-${crypto.randomUUID()}`;
  return withPeerServices(program, async ({ env, serverMicros: peerMicros }) => {
    const task: ProbeTask = {
      ...{ url: urls.NATS_URL, redisUrl: urls.REDIS_URL, stream: dataset.stream, bucket, events, projection },
      aggregates: Math.max(1, Math.round((dataset.aggregates * events) / dataset.events)),
      eventBytes: dataset.eventBytes,
    };
    const micros = () => {
      const { nats, redis } = bench.serverMicros();
      return nats + redis + peerMicros();
    };
    const before = micros();
    const result = await inChild(program, task, env);
    const serverMicros = Math.max(0, micros() - before);
    await client.jsm.streams.delete(`KV_${bucket}`).catch(() => false);
    return {
      events,
      seconds: result.seconds,
      workerMicros: result.cpuMicros,
      serverMicros,
      coordinatorMicros: 0,
      peakBytes: result.peakBytes,
      ...{ entries: null, units: null, source: null },
      commandSeconds: null,
      firstUnitSeconds: null,
      stages: result.stageMicros && perEvent(result.stageMicros, events),
    };
  });
}

async function inChild(
  program: ProbeWork["program"],
  task: ProbeTask,
  env: Readonly<Record<string, string>>,
): Promise<ProbeResult> {
  const file = fileURLToPath(new URL(PROGRAMS[program], import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, file, JSON.stringify(task)], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  const output = await text(child.stdout);
  const [status] = (await closed) as [number | null];
  if (status !== 0) throw new Error(`Cannot measure ${program}: its process ended with status ${status}.`);
  return JSON.parse(output) as ProbeResult;
}
