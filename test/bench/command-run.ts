import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { Ledger, type NatsClient } from "@cim-replay/nats";
import { type Bench, configFile } from "./bench-setup.ts";
import { type Dataset, DOMAIN } from "./dataset.ts";
import { watchFirstSigns } from "./first-signs.ts";
import type { Measured } from "./reading.ts";
import { ProcessWatch } from "./process-watch.ts";
import { watchStageTimes } from "./stage-times.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const COMMAND = join(ROOT, "node_modules", ".bin", "domain-replay");

const TELLING_LINES = 5;
/** What the names of buckets begin with that a measurement writes. */
export const BUCKETS = "bench-";

interface RunJson {
  readonly run_id: string;
  readonly state: string;
  readonly reason: string | null;
  readonly ended_at: string;
  readonly summary: { readonly events: number; readonly aggregates: number };
}

/**
 * Runs the real `domain-replay` into a fresh bucket. `seconds` is plan to certificate (to the last acknowledged write
 * where none is asked for): from the command's first request to JetStream to the end that the run's record gives, so
 * Node's start and exit are left out and the closing of the books is not.
 */
export async function runCommand(
  bench: Bench,
  dataset: Dataset,
  flags: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Measured> {
  const { client, urls } = bench;
  const bucket = `${BUCKETS}${crypto.randomUUID()}`;
  const args = ["--config", configFile(bench, dataset), "--domain", DOMAIN, "--target", bucket, "--format", "json"];
  const { signs, stop } = await watchFirstSigns(client);
  const stages = watchStageTimes(client);
  const { nats: serverBefore } = bench.serverMicros();
  const startedAtMs = Date.now();
  const child = spawn(COMMAND, [...args, "--metrics-port", "off", "--no-backup-first", ...flags], {
    env: { ...process.env, ...urls, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // Interrupted, it takes its workers with it.
  const impatience = setTimeout(() => child.kill("SIGINT"), mostMs(dataset));
  const watch = new ProcessWatch(child.pid ?? 0);
  const closed = once(child, "close");
  const [output, notes] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [status, signal] = (await closed) as [number | null, string | null];
  clearTimeout(impatience);
  const commandSeconds = (Date.now() - startedAtMs) / 1000;
  const serverMicros = bench.serverMicros().nats - serverBefore;
  watch.stop();
  stop();
  stages.stop();
  await removeBuckets(client);
  if (status !== 0)
    throw new Error(
      `Cannot measure domain-replay ${flags.join(" ")}: it ended with ${status ?? signal}.\n${lastLines(notes)}`,
    );
  const { run_id, ended_at, summary } = completeRun(output, dataset);
  const plan = await (await Ledger.open(client))?.getPlan(run_id);
  return {
    events: summary.events,
    seconds: (Date.parse(ended_at) - (signs.plannedAtMs ?? startedAtMs)) / 1000,
    workerMicros: watch.children.reduce((sum, use) => sum + use.cpuMicros, 0),
    serverMicros,
    coordinatorMicros: watch.root.cpuMicros,
    peakBytes: Math.max(0, ...watch.children.map((use) => use.peakBytes)),
    entries: summary.aggregates,
    units: plan?.units.length ?? null,
    source: plan?.source.kind ?? null,
    commandSeconds,
    firstUnitSeconds: signs.workedAtMs === null ? null : (signs.workedAtMs - startedAtMs) / 1000,
    stages: perEvent(stages.sums(), summary.events),
  };
}

function lastLines(text: string): string {
  return text.trimEnd().split("\n").slice(-TELLING_LINES).join("\n");
}

/** One that takes longer is stuck, and shall not hold up the others. */
function mostMs({ events }: Dataset): number {
  return 5 * 60_000 + events / 4;
}

export function perEvent(sums: Readonly<Record<string, number>>, events: number): Record<string, number> {
  return Object.fromEntries(Object.entries(sums).map(([stage, micros]) => [stage, micros / events]));
}

/** Its own, and those of further projections. */
async function removeBuckets({ jsm }: NatsClient): Promise<void> {
  const names: string[] = [];
  for await (const name of jsm.streams.names()) if (name.startsWith(`KV_${BUCKETS}`)) names.push(name);
  for (const name of names) await jsm.streams.delete(name);
}

/** A fast run that lost something is no measurement. */
function completeRun(output: string, { events, aggregates, livePerSecond }: Dataset): RunJson {
  const run = JSON.parse(output) as RunJson;
  const { summary } = run;
  const isWhole =
    livePerSecond > 0 ? summary.events >= events : summary.events === events && summary.aggregates <= aggregates;
  if (run.state !== "completed" || !isWhole) throw new Error(`Cannot measure a run that is not whole: ${output}`);
  return run;
}

/** What this build's `domain-replay` can be asked for. */
export async function helpOfCommand(): Promise<string> {
  const child = spawn(COMMAND, ["--help"], { stdio: ["ignore", "pipe", "inherit"] });
  return text(child.stdout);
}
