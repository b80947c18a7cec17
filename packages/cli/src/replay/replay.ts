import type { ReplayContext } from "@cim-replay/coordinator";
import type { Invocation } from "../command.ts";
import { openMetrics } from "../metrics/open-metrics.ts";
import type { RunMetricsSource } from "../metrics/run-metrics.ts";
import { withCoordination, withLog, withNats } from "../session.ts";
import { dryRun } from "./dry-run.ts";
import { type ReplayRequest, readRequest } from "./request.ts";
import { ReplayRunner } from "./runner.ts";
import { listenToSignals } from "./signals.ts";

/** What `event-replay` and `domain-replay` do. */
export async function replay(invocation: Invocation, options: { needsDomain: boolean }): Promise<number> {
  const request = readRequest(invocation, options.needsDomain);
  if (request.flags.dryRun) {
    return withNats(request.loaded.settings, invocation.tool, (client) => dryRun(invocation, client, request));
  }
  return runRequest(invocation, request);
}

/** Runs what is asked for, one domain after another, with signals, log and metrics. */
export async function runRequest(
  invocation: Invocation,
  request: ReplayRequest,
  /** Looks at what is asked for before anything is begun. */
  check: (ctx: ReplayContext) => Promise<void> = async () => undefined,
): Promise<number> {
  const { settings } = request.loaded;
  let runner: ReplayRunner | null = null;
  const note = (line: string) => invocation.screen.note(line);
  const signals = listenToSignals({
    checkpoint: () => (runner ? runner.checkpointNow() : note("Nothing to checkpoint: no run is at work.")),
    note,
    exitNow: invocation.exitNow,
  });
  try {
    return await withLog(settings, invocation, (log) =>
      withCoordination(settings, invocation.tool, log, async (ctx) => {
        await check(ctx);
        runner = new ReplayRunner(invocation, ctx, request, signals.signal);
        return runWithMetrics(invocation, ctx, request, runner);
      }),
    );
  } finally {
    signals.dispose();
  }
}

async function runWithMetrics(
  { screen }: Invocation,
  ctx: ReplayContext,
  { loaded }: ReplayRequest,
  runner: ReplayRunner,
): Promise<number> {
  const { metricsPort } = loaded.settings;
  const metrics = await openMetrics({
    port: metricsPort,
    given: loaded.isGiven("metricsPort"),
    loadRegistry: async () => {
      const { runRegistry } = await import("../metrics/run-metrics.ts");
      return runRegistry(async () => ({ progress: runner.progress, ...(await lookAtQueue(ctx)) }));
    },
    isReady: () => runner.progress !== null,
    warn: (line) => screen.note(line),
  });
  try {
    return await runner.run();
  } finally {
    await metrics?.close();
  }
}

/** Nothing while Redis is away: what is known of the run is still served. */
async function lookAtQueue({ queue }: ReplayContext): Promise<Omit<RunMetricsSource, "progress">> {
  try {
    const [counts, connectedWorkers] = await Promise.all([queue.counts(), queue.workerCount()]);
    return { queue: counts, connectedWorkers };
  } catch {
    return { queue: {}, connectedWorkers: null };
  }
}
