import type { Benches } from "./bench-setup.ts";
import { type Case, flagsOf } from "./case.ts";
import { runCommand } from "./command-run.ts";
import { whileWrittenTo } from "./live-writer.ts";
import { runProbe } from "./probe.ts";
import { whileProfiled } from "./profiled.ts";
import type { Measured } from "./reading.ts";
import { whileWatched } from "./watched.ts";

/** Takes one reading of a case, on the servers that its stream is on. */
export function measure(benches: Benches, { dataset, work }: Case): Promise<Measured> {
  const bench = benches.get(dataset.server);
  if (!bench) throw new Error(`Cannot measure on ${dataset.stream}: its server does not run.`);
  if (work.kind === "probe") return runProbe(bench, work, dataset);
  const command = (environment?: Record<string, string>) => runCommand(bench, dataset, flagsOf(work), environment);
  if (work.profiled) return whileProfiled(command);
  if (work.watched) return whileWatched(bench, command);
  if (dataset.livePerSecond > 0) return whileWrittenTo(bench, dataset, command);
  return command();
}
