import { Ledger, type NatsClient, onLive } from "@cim-replay/nats";
import type { ReplayWorker } from "@cim-replay/worker";
import type { LoadedSettings } from "../settings/load.ts";
import type { MetricsServer } from "./metrics-server.ts";
import { openMetrics } from "./open-metrics.ts";
import { outcomesOf, patiently } from "./outcomes.ts";
import { WorkerWatch } from "./worker-watch.ts";

/** Of all runs: the last token of the subject that workers report on. */
const EVERY_RUN = "*";

/** Serves a worker's own metrics; null where they are off. */
export async function openWorkerMetrics(options: {
  readonly client: NatsClient;
  readonly worker: ReplayWorker;
  readonly workerId: string;
  readonly loaded: LoadedSettings;
  warn(line: string): void;
}): Promise<MetricsServer | null> {
  const { client, worker, workerId, loaded, warn } = options;
  let isReady = false;
  worker.ready().then(
    () => {
      isReady = true;
    },
    () => undefined,
  );
  const outcomes = patiently(async () => outcomesOf((await (await Ledger.open(client))?.listRuns()) ?? []));
  const watch = new WorkerWatch((runId) => pinnedTimeOf(client, runId));
  const server = await openMetrics({
    port: loaded.settings.metricsPort,
    given: loaded.isGiven("metricsPort"),
    async loadRegistry() {
      const { workerRegistry } = await import("./worker-metrics.ts");
      return workerRegistry(async () => ({ reports: worker.snapshot(), watch, outcomes: await outcomes() }));
    },
    isReady: () => isReady,
    warn,
  });
  if (server === null) return null;
  const unsubscribe = onLive(client, EVERY_RUN, (report) => {
    if (report.workerId === workerId) watch.take(report);
  });
  return {
    port: server.port,
    close() {
      unsubscribe();
      return server.close();
    },
  };
}

async function pinnedTimeOf(client: NatsClient, runId: string): Promise<number | null> {
  const ledger = await Ledger.open(client);
  const [run, plan] = await Promise.all([ledger?.getRun(runId), ledger?.getPlan(runId)]);
  const { lastPinnedTime } = await import("@cim-replay/coordinator");
  return run && plan ? lastPinnedTime(client, run.record, plan) : null;
}
