import { isUnfinished, type RunRecord, UsageError } from "@cim-replay/core";
import type { Ledger } from "@cim-replay/nats";
import { noRun } from "../no-run.ts";

export interface RunChoice {
  readonly tool: string;
  readonly run: string | undefined;
  readonly domain: string | undefined;
}

/** The run that is named, else the newest that fits; throws ReplayError where there is none. */
export async function pickRun(ledger: Ledger, choice: RunChoice): Promise<RunRecord> {
  const [newest] = await fitting(ledger, choice, () => true);
  if (newest) return newest;
  throw noRun(choice.tool, wanted(choice, "run"));
}

/** As `pickRun`, for commands that change a run: among several that go on it must be named. */
export async function pickUnfinishedRun(ledger: Ledger, choice: RunChoice): Promise<RunRecord> {
  const goesOn = (run: RunRecord) => isUnfinished(run) && run.state !== "failed";
  const runs = await fitting(ledger, choice, choice.run === undefined ? goesOn : () => true);
  const [only] = runs;
  if (!only) throw noRun(choice.tool, wanted(choice, "unfinished run"));
  if (runs.length === 1) return only;
  const ids = runs.map(({ id, settings, state }) => `${id} (${settings.domain}, ${state})`);
  throw new UsageError(
    `Cannot run ${choice.tool}: several runs are unfinished: ${ids.join(", ")}. Name one with --run.`,
  );
}

async function fitting(ledger: Ledger, { run, domain }: RunChoice, fits: (run: RunRecord) => boolean) {
  const isNamed = ({ id, settings }: RunRecord) =>
    (run === undefined || id === run) && (domain === undefined || settings.domain === domain);
  return (await ledger.listRuns()).filter((record) => isNamed(record) && fits(record));
}

function wanted({ run, domain }: RunChoice, noun: string): string {
  if (run !== undefined) return `run ${run}`;
  return domain === undefined ? noun : `${noun} of ${domain}`;
}
