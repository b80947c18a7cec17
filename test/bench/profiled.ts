import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { z } from "zod";
import type { Measured } from "./reading.ts";

/** V8's, as Node writes it: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile */
const profileSchema = z.object({
  nodes: z.array(
    z.object({
      id: z.int(),
      callFrame: z.object({ functionName: z.string(), url: z.string() }),
    }),
  ),
  samples: z.array(z.int()),
  /** Microseconds since the sample before. */
  timeDeltas: z.array(z.number()),
});
type Profile = z.infer<typeof profileSchema>;

/** Nothing to do. */
export const WAITING = "(idle)";
const WORKER = "cim-replay-worker.js";

/** Runs a command whose workers Node profiles, and adds where their main threads were. */
export async function whileProfiled(
  run: (environment: Record<string, string>) => Promise<Measured>,
): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), "cim-replay-bench-profile-"));
  try {
    const measured = await run({ NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${folder}` });
    const files = (await readdir(folder)).filter((name) => name.endsWith(".cpuprofile"));
    const profiles = await Promise.all(files.map((name) => readProfile(join(folder, name))));
    const workers = profiles.filter(isWorkers);
    if (workers.length === 0) throw new Error("Cannot tell where workers' time went: none left a profile.");
    return { ...measured, functions: functionMicros(workers, measured.events) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readProfile(file: string): Promise<Profile> {
  return profileSchema.parse(JSON.parse(await readFile(file, "utf8")));
}

function isWorkers({ nodes }: Profile): boolean {
  return nodes.some(({ callFrame }) => callFrame.url.endsWith(WORKER));
}

/** Of all together, an event. */
export function functionMicros(profiles: readonly Profile[], events: number): Record<string, number> {
  const micros: Record<string, number> = {};
  for (const { nodes, samples, timeDeltas } of profiles) {
    const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
    for (const [at, sample] of samples.entries()) {
      const name = names.get(sample) ?? "(unknown)";
      micros[name] = (micros[name] ?? 0) + (timeDeltas[at] ?? 0) / events;
    }
  }
  return micros;
}

function nameOf({ functionName, url }: Profile["nodes"][number]["callFrame"]): string {
  if (url === "") return functionName === "" ? "(native)" : functionName;
  const file = url.startsWith("node:") ? url : basename(url).replace(/\.[a-z]+$/, "");
  return `${functionName === "" ? "(anonymous)" : functionName}, ${file}`;
}
