import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { errorMessage, formatDuration, ReplayError, UsageError } from "@cim-replay/core";
import type { Ledger } from "@cim-replay/nats";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { json } from "../output/run-record.ts";
import { checkWritable, writeWholeFile } from "../output/write-whole-file.ts";
import { gatherProfiles } from "../profile/gather.ts";
import { profilePage } from "../profile/page.ts";
import { type ProfileReport, reportJson, reportOf, reportText, type WrittenFiles } from "../profile/report.ts";
import { pickRun, type RunChoice } from "../replay/pick-run.ts";
import { withLedger } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { secondsOrDurationMs, text } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const DEFAULT_MS = 60_000;
const LEAST_MS = 100;
const MOST_MS = 3_600_000;

const flags = {
  run: shared.run,
  domain: shared.domain,
  duration: callFlag("--duration <time>", "how long, in seconds or e.g. 2m (default: 60)", secondsOrDurationMs),
  output: callFlag("--output <folder>", "where files go (default: ./profile-RUN)", text),
  format: shared.format,
};

/** Records what a live run's workers do, and says what limits the run. */
export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, connectionSettings),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { tool, screen } = invocation;
    const durationMs = given.duration ?? DEFAULT_MS;
    if (durationMs < LEAST_MS || durationMs > MOST_MS) {
      throw new UsageError(`Cannot run ${tool}: --duration is to be between 0.1 s and an hour.`);
    }
    return withLedger(loaded.settings, tool, async (ledger, client) => {
      const run = await liveRun(ledger, { tool, run: given.run, domain: given.domain });
      const folder = await folderFor(given.output ?? `profile-${run.id}`);
      screen.note(`Profiling run ${run.id} for ${formatDuration(durationMs)} …`);
      const profileId = randomBytes(8).toString("hex");
      const interrupted = interruption();
      const gathered = await gatherProfiles(
        { client, ledger },
        {
          ...{ runId: run.id, profileId, durationMs, signal: interrupted },
          onBegun: (workerId) => screen.note(`Worker ${workerId} records.`),
        },
      );
      if (gathered.profiles.length === 0 && interrupted.aborted) return EXIT.interrupted;
      if (gathered.profiles.length === 0) throw nothing(tool, run.id, gathered.lost);
      const report = reportOf({ id: run.id, domain: run.settings.domain }, gathered);
      const files = await write(report, folder);
      invocation.print(given.format === "json" ? json(reportJson(report, files)) : reportText(report, files));
      return interrupted.aborted ? EXIT.interrupted : EXIT.done;
    });
  },
};

/** Ctrl-C ends the recording, and what there is of it is written; a second one ends the process. */
function interruption(): AbortSignal {
  const aborting = new AbortController();
  process.once("SIGINT", () => aborting.abort()).once("SIGTERM", () => aborting.abort());
  return aborting.signal;
}

async function liveRun(ledger: Ledger, choice: RunChoice) {
  const runs = (await ledger.listRuns()).filter(
    ({ state, settings }) => state === "running" && (choice.domain === undefined || settings.domain === choice.domain),
  );
  const [live, ...others] = choice.run === undefined ? runs : [await pickRun(ledger, choice)];
  if (others.length > 0) {
    const ids = runs.map(({ id, settings }) => `${id} (${settings.domain})`).join(", ");
    throw new UsageError(`Cannot run ${choice.tool}: several runs are going on: ${ids}. Name one with --run.`);
  }
  if (live?.state === "running") return live;
  const what = live ? `run ${live.id} is ${live.state}` : "no run is going on";
  throw new ReplayError(
    `Cannot run ${choice.tool}: ${what}. Start it while a replay is at work; \`replay-list\` shows the runs.`,
  );
}

async function folderFor(name: string): Promise<string> {
  const folder = resolve(name);
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw new UsageError(`Cannot write to ${folder}: ${errorMessage(error)}. Name another folder with --output.`);
  }
  await checkWritable(join(folder, "profile.html"));
  return folder;
}

async function write(report: ProfileReport, folder: string): Promise<WrittenFiles> {
  const page = join(folder, "profile.html");
  const profiles: string[] = [];
  const seen = new Map<string, number>();
  for (const { workerId, cpuProfile } of report.profiles) {
    // From a worker's own words: nothing of it may name another folder.
    const name = workerId.replace(/[^\w.-]/g, "_").slice(0, 100);
    const number = (seen.get(name) ?? 0) + 1;
    seen.set(name, number);
    const file = join(folder, `worker-${name}-${number}.cpuprofile`);
    await writeWholeFile(file, JSON.stringify(cpuProfile));
    profiles.push(file);
  }
  await writeWholeFile(page, profilePage(report));
  return { page, profiles };
}

function nothing(tool: string, runId: string, lost: readonly string[]): ReplayError {
  const why = lost.length > 0 ? `worker ${lost[0]} began and was lost` : "no worker of it answered";
  return new ReplayError(
    `Cannot run ${tool}: ${why} while run ${runId} was watched. See \`debug-replay --run ${runId}\` for its workers.`,
  );
}
