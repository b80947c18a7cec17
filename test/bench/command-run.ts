import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { type Bench, configFile } from "./bench-setup.ts";
import { type Dataset, DOMAIN } from "./dataset.ts";
import { watchFirstSigns } from "./first-signs.ts";
import type { Reading } from "./reading.ts";
import { cpuMicros } from "./proc-files.ts";
import { ProcessWatch } from "./process-watch.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const COMMAND = join(ROOT, "node_modules", ".bin", "domain-replay");

interface RunJson {
  readonly state: string;
  readonly reason: string | null;
  readonly ended_at: string;
  readonly summary: { readonly events: number; readonly aggregates: number };
}

/**
 * Runs the real `domain-replay` into a fresh bucket. `seconds` is plan to last acknowledged write: from the command's
 * first request to JetStream to the end that the run's record gives, so Node's start and exit are left out and the
 * closing of the books is not.
 */
export async function runCommand(
  bench: Bench,
  dataset: Dataset,
  flags: readonly string[],
  /** Buckets that it writes beside its own. */
  others: readonly string[] = [],
): Promise<Reading> {
  const { client, servers } = bench;
  const bucket = `bench-${crypto.randomUUID()}`;
  const args = ["--config", configFile(bench, dataset), "--domain", DOMAIN, "--target", bucket, "--format", "json"];
  const { signs, stop } = await watchFirstSigns(client);
  const serverBefore = cpuMicros(servers.nats.pid) ?? 0;
  const startedAtMs = Date.now();
  const child = spawn(COMMAND, [...args, "--metrics-port", "off", ...flags], {
    env: { ...process.env, NATS_URL: servers.nats.url, REDIS_URL: servers.redis.url },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const watch = new ProcessWatch(child.pid ?? 0);
  const closed = once(child, "close");
  const [output, notes] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [status, signal] = (await closed) as [number | null, string | null];
  const commandSeconds = (Date.now() - startedAtMs) / 1000;
  const serverMicros = (cpuMicros(servers.nats.pid) ?? 0) - serverBefore;
  watch.stop();
  stop();
  if (status !== 0)
    throw new Error(`Cannot measure domain-replay ${flags.join(" ")}: it ended with ${status ?? signal}.\n${notes}`);
  const run = completeRun(output, dataset);
  for (const written of [bucket, ...others]) await client.jsm.streams.delete(`KV_${written}`);
  return {
    events: dataset.events,
    seconds: (Date.parse(run.ended_at) - (signs.plannedAtMs ?? startedAtMs)) / 1000,
    workerMicros: watch.children.reduce((sum, use) => sum + use.cpuMicros, 0),
    serverMicros,
    coordinatorMicros: watch.root.cpuMicros,
    peakBytes: Math.max(...watch.children.map((use) => use.peakBytes)),
    commandSeconds,
    firstUnitSeconds: signs.workedAtMs === null ? null : (signs.workedAtMs - startedAtMs) / 1000,
  };
}

/** A fast run that lost something is no measurement. */
function completeRun(output: string, { events, aggregates }: Dataset): RunJson {
  const run = JSON.parse(output) as RunJson;
  const { summary } = run;
  if (run.state !== "completed" || summary.events !== events || summary.aggregates > aggregates) {
    throw new Error(`Cannot measure a run that is not whole: ${output}`);
  }
  return run;
}
