import { readFileSync } from "node:fs";
import { ProgressWatch } from "@cim-replay/coordinator";
import { errorMessage, ReplayError, UsageError } from "@cim-replay/core";
import type { DashboardPorts } from "@cim-replay/dashboard";
import { Ledger, type NatsClient } from "@cim-replay/nats";
import type { CommandModule, Invocation } from "../command.ts";
import { ChildProcesses } from "../dashboard/child-processes.ts";
import { runActions } from "../dashboard/run-actions.ts";
import { EXIT } from "../exit-status.ts";
import { outcomesOf, patiently } from "../metrics/outcomes.ts";
import { queueOptions, withLog, withNats } from "../session.ts";
import type { SettingName, Settings } from "../settings/definitions.ts";
import { callFlag, natsSettings, redisSettings } from "../settings/flags.ts";
import { flag, port, text, words } from "../settings/values.ts";
import { addFlags, readInvocation } from "./invoked.ts";

const DEFAULT_PORT = 9092;

const flags = {
  host: callFlag(
    "--host <address>",
    "address to listen on (default: 127.0.0.1); others than loopback need a login",
    text,
  ),
  port: callFlag("--port <port>", `port to listen on (default: ${DEFAULT_PORT}; 0: any free one)`, port),
  allowActions: callFlag(
    "--allow-actions",
    "lets people pause, resume, cancel, retry and start; without, they look",
    flag,
  ),
  trustHeader: callFlag("--trust-header <name>", "a proxy logs people in, and names them in this header", text),
  trustProxy: callFlag("--trust-proxy <addresses>", "addresses or networks of those proxies", words),
};

const settingNames = [
  ...natsSettings,
  ...redisSettings,
  "queuePrefix",
  "lockDuration",
  "stalledInterval",
  "dashboardUser",
  "dashboardPasswordFile",
  "logLevel",
  "logFile",
] as const satisfies readonly SettingName[];

export const command: CommandModule = {
  configure(parser) {
    addFlags(parser, flags, settingNames);
    parser.addHelpText(
      "after",
      "\nThe password comes by CIM_REPLAY_DASHBOARD_PASSWORD or a file. See docs/dashboard.md.",
    );
  },
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { settings } = loaded;
    const listenOn = given.port ?? DEFAULT_PORT;
    if (listenOn === "off") throw new UsageError("Cannot open the dashboard: --port off leaves none. Give a port.");
    const { accessFor, openDashboard } = await import("@cim-replay/dashboard");
    const host = given.host ?? "127.0.0.1";
    const access = accessFor({
      host,
      user: settings.dashboardUser,
      password: passwordOf(settings),
      trustHeader: given.trustHeader ?? null,
      trustProxies: given.trustProxy ?? [],
    });
    const end = untilSignal();
    return withLog(settings, invocation, (log) =>
      withNats(settings, invocation.tool, async (client) => {
        const children = new ChildProcesses(loaded);
        const actions = given.allowActions ? runActions(invocation, client, children) : null;
        const ports = { watchRun: (runId: string) => watchRun(client, runId), actions, metrics: metricsOf(client) };
        const queue = queueOptions(settings);
        const dashboard = await openDashboard({ client, queue, ports, access, host, port: listenOn, log });
        try {
          announce(invocation, dashboard.url, { canAct: actions !== null, isOpen: access.kind === "open" });
          return await end;
        } finally {
          await children.close();
          await dashboard.close();
        }
      }),
    );
  },
};

function announce({ screen }: Invocation, url: string, { canAct, isOpen }: { canAct: boolean; isOpen: boolean }): void {
  const who = isOpen ? "for this machine only, without a login" : "behind a login";
  screen.note(
    `Dashboard at ${url}, ${who}, ${canAct ? "actions allowed" : "read-only (--allow-actions lets people act)"}. Ctrl-C ends it.`,
  );
}

function passwordOf({ dashboardPassword, dashboardPasswordFile }: Settings): string | null {
  if (dashboardPassword !== null || dashboardPasswordFile === null) return dashboardPassword;
  try {
    const password = readFileSync(dashboardPasswordFile, "utf8").trim();
    if (password !== "") return password;
  } catch (error) {
    throw new UsageError(
      `Cannot read the dashboard's password from ${dashboardPasswordFile}: ${errorMessage(error)}. Name a file that holds it.`,
    );
  }
  throw new UsageError(`Cannot take the dashboard's password from ${dashboardPasswordFile}: the file is empty.`);
}

/** The ledger may not be there yet when the dashboard starts. */
function watchRun(client: NatsClient, runId: string): ReturnType<DashboardPorts["watchRun"]> {
  let watch: ProgressWatch | null = null;
  return {
    async look() {
      if (watch === null) {
        const ledger = await Ledger.open(client);
        if (ledger === null) throw new ReplayError(`Cannot show run ${runId}: the ledger is gone.`);
        watch = new ProgressWatch(client, ledger, runId);
      }
      return watch.look();
    },
    close: () => watch?.close(),
  };
}

function metricsOf(client: NatsClient): DashboardPorts["metrics"] {
  const runs = patiently(async () => (await (await Ledger.open(client))?.listRuns()) ?? []);
  const registry = import("../dashboard/dashboard-metrics.ts").then(({ dashboardRegistry }) =>
    dashboardRegistry(async () => {
      const known = await runs();
      return { runs: known, outcomes: known && outcomesOf(known) };
    }),
  );
  return async () => {
    const loaded = await registry;
    return { contentType: loaded.contentType, text: await loaded.metrics() };
  };
}

function untilSignal(): Promise<number> {
  return new Promise((resolve) => {
    process.once("SIGTERM", () => resolve(EXIT.done));
    process.once("SIGINT", () => resolve(EXIT.interrupted));
  });
}
