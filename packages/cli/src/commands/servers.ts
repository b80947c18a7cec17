import { ReplayError } from "@cim-replay/core";
import { type ServerStatus, serversDown, serversStatus, serversUp, type UpResult } from "@cim-replay/testkit";
import { Argument } from "commander";
import type { CommandModule, Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { json } from "../output/run-record.ts";
import { renderTable } from "../output/table.ts";
import { redactUrls } from "../redact.ts";
import { type CallFlagValues, callFlag } from "../settings/flags.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { count, text } from "../settings/values.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";
import { whyUnreachable } from "./listening.ts";

const flags = {
  dir: callFlag("--dir <folder>", "for the servers' data and logs (default: in the user's cache)", text),
  natsPort: callFlag("--nats-port <port>", "loopback port of NATS (default: 4222, or a free one)", count),
  redisPort: callFlag("--redis-port <port>", "loopback port of Redis (default: 6379, or a free one)", count),
  format: shared.format,
};

export const command: CommandModule = {
  configure(parser) {
    addFlags(parser, flags, ["natsUrl", "redisUrl"]);
    parser.addArgument(new Argument("<action>", "what to do").choices(["up", "status", "down"]));
    parser.addHelpText(
      "after",
      `
Servers come from NATS_URL and REDIS_URL where given and no port is, else from programs on PATH (nats-server 2.10.27, redis-server 6.2
or newer), else from Debian's packages, unpacked into a cache without root.`,
    );
  },
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const print = (value: object, shown: string) => invocation.print(given.format === "json" ? json(value) : shown);
    const dir = given.dir;
    switch (invocation.args[0]) {
      case "up": {
        const servers = Object.values(await up(invocation, loaded, given));
        await requireGiven(servers);
        print(servers, upText(servers, dir));
        return EXIT.done;
      }
      case "down": {
        const servers = await serversDown({ dir });
        print(
          servers,
          servers.length === 0
            ? "No servers were up."
            : servers.map(({ kind, url, outcome }) => `${kind} ${url}: ${outcome}`).join("\n"),
        );
        return EXIT.done;
      }
      default: {
        const servers = await serversStatus({ dir });
        print(
          servers,
          servers.length === 0 ? "No servers are up. Start them with `cim-replay servers up`." : statusTable(servers),
        );
        return servers.length > 0 && servers.every(({ running }) => running) ? EXIT.done : EXIT.failed;
      }
    }
  },
};

function up(
  { screen }: Invocation,
  { settings, isGiven }: LoadedSettings,
  { dir, natsPort, redisPort }: CallFlagValues<typeof flags>,
) {
  screen.note("Looking for servers; what is missing comes from Debian's packages.");
  return serversUp({
    dir,
    natsPort,
    redisPort,
    // Who names a port wants a server of this command's own there, whatever an earlier one has left in the environment.
    natsUrl: isGiven("natsUrl") && natsPort === undefined ? settings.natsUrl : undefined,
    redisUrl: isGiven("redisUrl") && redisPort === undefined ? settings.redisUrl : undefined,
  });
}

/** Throws ReplayError where nobody listens at a URL that was given: most often one of servers that have been taken down. */
async function requireGiven(servers: readonly UpResult[]): Promise<void> {
  for (const { kind, url, state } of servers) {
    const reason = state === "given" ? await whyUnreachable(url) : null;
    if (reason === null) continue;
    const name = `${kind.toUpperCase()}_URL`;
    throw new ReplayError(
      `Cannot use ${kind} at ${redactUrls(url)}, which is given: ${reason}. Start it, or unset ${name} (or give --${kind}-port) to have one started.`,
    );
  }
}

function upText(servers: readonly UpResult[], dir: string | undefined): string {
  const down = ["cim-replay servers down", ...(dir === undefined ? [] : ["--dir", dir])].join(" ");
  const variable = (kind: string) => `${kind.toUpperCase()}_URL`;
  const states = servers.map(({ kind, url, state }) => `${kind} ${redactUrls(url)}: ${state}`);
  const started = servers.filter(({ state }) => state !== "given");
  const exports = started.map(({ kind, url }) => `${variable(kind)}=${url}`);
  const use = exports.length > 0 ? [`export ${exports.join(" ")}`, `Stop them with \`${down}\`.`] : [];
  return [...states, ...use].join("\n");
}

function statusTable(servers: readonly ServerStatus[]): string {
  return renderTable<ServerStatus>(
    [
      { title: "server", value: ({ kind }) => kind },
      { title: "state", value: ({ running }) => (running ? "up" : "gone") },
      { title: "version", value: ({ version }) => version },
      { title: "url", value: ({ url }) => url },
      { title: "pid", align: "right", value: ({ pid }) => String(pid) },
      { title: "log", value: ({ logFile }) => logFile },
    ],
    servers,
  );
}
