import type { NatsClient } from "@cim-replay/nats";
import { UsageError } from "@cim-replay/core";
import type { CommandModule, Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { momentJson, momentText } from "../output/moment-text.ts";
import { json } from "../output/run-record.ts";
import { reachFlags } from "../output/rollback.ts";
import { checkpointFirst } from "../replay/checkpoint-first.ts";
import {
  type DomainOutcome,
  type PointInTime,
  type ReplayedDomains,
  replayDomainsToMoment,
} from "../replay/point-in-time.ts";
import { bucketOf } from "../settings/bucket-names.ts";
import type { ReplayRunner } from "../replay/runner.ts";
import { listenToSignals } from "../replay/signals.ts";
import { everyDomain } from "../replay/which-domains.ts";
import { withCoordination, withLog } from "../session.ts";
import type { SettingName } from "../settings/definitions.ts";
import { callFlag, natsSettings, redisSettings } from "../settings/flags.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { count, flag, preciseTime, words } from "../settings/values.ts";
import { allDomains } from "../verify/all-domains.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  targetTime: callFlag("--target-time <time>", "the moment, itself included, e.g. 2026-01-31T12:00:00Z", preciseTime),
  targetSeq: callFlag("--target-seq <n>", "and nothing behind this stream sequence", count),
  domains: callFlag(
    "--domains <all|names>",
    "separated by commas (default: all that settings describe or EVENTS holds)",
    words,
  ),
  verifyChecksums: callFlag(
    "--verify-checksums",
    "certifies each run at level full, then compares the bucket with the state at that time",
    flag,
  ),
  format: shared.format,
};

const settingNames = [
  ...["target", "timeBasis", "parallel", "source", "units", "localWorkers", "concurrency", "memoryLimit", "skipErrors"],
  ...["backupFirst", "backupKeep", "certify", ...natsSettings, ...redisSettings, "queuePrefix", "logLevel", "logFile"],
] as const satisfies readonly SettingName[];

export const command: CommandModule = {
  configure: (parser) => {
    addFlags(parser, flags, settingNames);
    parser.addHelpText(
      "after",
      `
Entries of the target whose aggregates had no event up to then are removed: without --target, from CIM_PROJECTIONS.
Where the target holds entries, a checkpoint is made first, and the command that goes back to it is printed.`,
    );
  },
  run: (invocation) => pointInTimeReplay(invocation),
};

async function pointInTimeReplay(invocation: Invocation): Promise<number> {
  const { flags: given, loaded } = readInvocation(invocation, flags);
  if (given.targetTime === undefined) {
    throw new UsageError("Cannot replay to a moment: none is given. Give --target-time, e.g. 2026-01-31T12:00:00Z.");
  }
  const moment = { ...given.targetTime, toSeq: given.targetSeq };
  const told = {
    ...{ moment, basis: loaded.settings.timeBasis, bucket: bucketOf(loaded.settings.target) },
    reach: reachFlags(invocation.flags),
  };
  let runner: ReplayRunner | null = null;
  const onRunner = (next: ReplayRunner) => {
    runner = next;
  };
  const task = { invocation, loaded, moment, verifies: given.verifyChecksums === true, onRunner };
  const { done, isInterrupted } = await interruptibly(
    invocation,
    () => runner,
    (signal) => replayAll(task, given.domains, signal),
  );
  const { outcomes } = done;
  invocation.print(given.format === "json" ? json(momentJson(done, told)) : momentText(done, told));
  if (outcomes.every(({ isDone }) => isDone)) return EXIT.done;
  return isInterrupted ? EXIT.interrupted : EXIT.failed;
}

function replayAll(
  task: PointInTime,
  named: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<ReplayedDomains> {
  const { invocation, loaded } = task;
  return withLog(loaded.settings, invocation, (log) =>
    withCoordination(loaded.settings, invocation.tool, log, async (ctx) => {
      const domains = await domainsOf(named, ctx.client, task);
      const wayBack = await checkpointFirst(ctx.client, invocation, loaded, domains);
      const outcomes = await replayDomainsToMoment(ctx, domains, task, signal);
      const untouched = domains.slice(outcomes.length).map((domain) => notBegun(domain));
      return { wayBack, outcomes: [...outcomes, ...untouched] };
    }),
  );
}

function notBegun(domain: string): DomainOutcome {
  const reason = "it was interrupted before";
  return { domain, run: null, historySince: null, certificate: null, isDone: false, reason };
}

async function domainsOf(
  named: readonly string[] | undefined,
  client: NatsClient,
  { invocation, loaded }: PointInTime,
): Promise<readonly string[]> {
  if (named !== undefined && !named.includes("all")) {
    if (named.length > 0) return [...new Set(named)];
    throw new UsageError("Cannot replay to a moment: --domains names none. Give all, or names separated by commas.");
  }
  const { held, empty } = await everyDomain(client, loaded);
  if (empty.length > 0) {
    invocation.screen.note(`No stream holds an event of ${empty.join(", ")}: nothing is replayed there.`);
  }
  await tellStrangers(invocation, client, loaded, held);
  return held;
}

/** Entries of domains without events are not touched, and so are of no moment. */
async function tellStrangers(
  { screen }: Invocation,
  client: NatsClient,
  loaded: LoadedSettings,
  domains: readonly string[],
): Promise<void> {
  const bucket = bucketOf(loaded.settings.target);
  const strangers = (await allDomains(client, loaded, bucket)).filter((domain) => !domains.includes(domain));
  if (strangers.length === 0) return;
  const warning = screen.style("yellow", "warning:");
  screen.note(
    `${warning} bucket ${bucket} also holds entries of ${strangers.join(", ")}, of which no stream holds an event: they stay as they are.`,
  );
}

async function interruptibly(
  { screen, exitNow }: Invocation,
  runner: () => ReplayRunner | null,
  work: (signal: AbortSignal) => Promise<ReplayedDomains>,
): Promise<{ done: ReplayedDomains; isInterrupted: boolean }> {
  const note = (line: string) => screen.note(line);
  const checkpoint = () => {
    const atWork = runner();
    if (atWork) atWork.checkpointNow();
    else note("Nothing to checkpoint: no run is at work.");
  };
  const signals = listenToSignals({ checkpoint, note, exitNow });
  try {
    return { done: await work(signals.signal), isInterrupted: signals.signal.aborted };
  } finally {
    signals.dispose();
  }
}
