import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Bar } from "./bars.ts";
import type { BenchOptions } from "./options.ts";
import type { Readings } from "./rounds.ts";

/** Writes every single reading with what it was taken on, and returns the file's path. */
export async function writeResults(
  options: BenchOptions,
  natsVersion: string,
  readings: Readings,
  bars: readonly Bar[],
): Promise<string> {
  const folder = fileURLToPath(new URL("../../bench-results/", import.meta.url));
  await mkdir(folder, { recursive: true });
  const takenAt = new Date().toISOString();
  const file = join(folder, `${takenAt.replaceAll(":", "-")}.json`);
  const machine = {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? "unknown",
    node: process.version,
    natsVersion,
  };
  await writeFile(
    file,
    JSON.stringify({ takenAt, machine, options, bars, readings: Object.fromEntries(readings) }, null, 2),
  );
  return file;
}
