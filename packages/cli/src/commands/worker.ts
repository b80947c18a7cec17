import { hostname } from "node:os";
import { loadProjection, startWorker } from "@cim-replay/worker";
import { Option } from "commander";
import type { CommandModule, Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { openWorkerMetrics } from "../metrics/open-worker-metrics.ts";
import { redactUrls } from "../redact.ts";
import { natsOptions, queueOptions, withLog, withNats } from "../session.ts";
import type { SettingName } from "../settings/definitions.ts";
import { callFlag, natsSettings, redisSettings } from "../settings/flags.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { text } from "../settings/values.ts";
import { REOPEN_LOG } from "../workers/worker-process.ts";
import { addFlags, readInvocation } from "./invoked.ts";

const flags = { managed: callFlag("--managed <id>", "as a child of a replay command", text) };

const workerSettings: readonly SettingName[] = [
  "concurrency",
  "readThread",
  "metricsPort",
  ...natsSettings,
  ...redisSettings,
  "queuePrefix",
  "lockDuration",
  "stalledInterval",
  "logLevel",
  "logFile",
];

export const command: CommandModule = {
  configure(parser) {
    addFlags(parser, {}, workerSettings);
    parser.addOption(new Option(flags.managed.flag, flags.managed.help).hideHelp());
    parser.addHelpText("after", "\nSIGTERM or Ctrl-C: checkpoints the units at work, gives them back, and leaves.");
  },
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    process.title = "cim-worker";
    const end = given.managed === undefined ? untilSignal() : untilParentLeaves();
    const workerId = given.managed ?? `${hostname()}-${process.pid}`;
    return work(invocation, loaded, workerId, given.managed !== undefined, end);
  },
};

async function work(
  invocation: Invocation,
  loaded: LoadedSettings,
  workerId: string,
  isManaged: boolean,
  end: Promise<number>,
): Promise<number> {
  const { settings } = loaded;
  return withLog(settings, invocation, (log) =>
    withNats(settings, workerId, async (client) => {
      if (isManaged) process.on("message", (message) => message === REOPEN_LOG && process.emit("SIGHUP", "SIGHUP"));
      const { concurrency } = settings;
      const queue = queueOptions(settings);
      const worker = startWorker({
        client,
        queue,
        workerId,
        concurrency,
        reading: {
          mode: settings.readThread,
          connection: natsOptions(settings, workerId),
          isLocal: isManaged,
        },
        log: log.child({ worker: workerId }),
        loadProjection,
      });
      const { screen } = invocation;
      const metrics = await openWorkerMetrics({ client, worker, workerId, loaded, warn: (line) => screen.note(line) });
      try {
        await worker.ready();
        if (isManaged) process.send?.({ ready: true });
        else
          screen.note(
            `Worker ${workerId} takes units from ${redactUrls(settings.redisUrl)}, for ${redactUrls(settings.natsUrl)}. Ctrl-C checkpoints and leaves.`,
          );
        return await Promise.race([end, worker.unfit]);
      } finally {
        await worker.stop();
        await metrics?.close();
      }
    }),
  );
}

/** SIGTERM is how a worker is meant to end; Ctrl-C interrupts it. */
function untilSignal(): Promise<number> {
  return new Promise((resolve) => {
    process.once("SIGTERM", () => resolve(EXIT.done));
    process.once("SIGINT", () => resolve(EXIT.interrupted));
  });
}

/** Ctrl-C in a terminal reaches children as well: their parent decides, and closes the channel. */
function untilParentLeaves(): Promise<number> {
  process.on("SIGINT", () => undefined);
  return new Promise((resolve) => {
    process.once("SIGTERM", () => resolve(EXIT.done));
    process.once("disconnect", () => resolve(EXIT.done));
    if (!process.connected) resolve(EXIT.done);
  });
}
