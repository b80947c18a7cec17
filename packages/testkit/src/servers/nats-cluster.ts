import { setTimeout as sleep } from "node:timers/promises";
import { ReplayError } from "@cim-replay/core";
import { dialogue } from "./dialogue.ts";
import type { ServerHandle } from "./managed-server.ts";
import { type NatsOptions, startNats } from "./nats-server.ts";
import { freePort } from "./ports.ts";
import { uniqueName } from "./unique-name.ts";

export interface NatsCluster {
  /** All servers' addresses, separated by commas. */
  readonly url: string;
  /** By server name, in order. */
  readonly servers: ReadonlyMap<string, ServerHandle>;
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 60_000;
const POLL_MS = 100;
const ASK_FOR_ACCOUNT = "CONNECT {}\r\nSUB answer 1\r\nPUB $JS.API.INFO answer 0\r\n\r\n";

/** Starts servers on loopback ports that replicate each other's streams; resolves when their JetStream has a leader. */
export async function startNatsCluster(size = 3, options: Pick<NatsOptions, "binary"> = {}): Promise<NatsCluster> {
  const name = uniqueName("cluster");
  const routePorts = await Promise.all(Array.from({ length: size }, () => freePort()));
  const routes = routePorts.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  const starting = routePorts.map(async (port, at) => {
    const config = `cluster { name: "${name}", listen: "127.0.0.1:${port}", routes: [${routes}] }`;
    const server = `${name}-${at + 1}`;
    return [server, await startNats({ ...options, name: server, config })] as const;
  });
  const started = await Promise.allSettled(starting);
  const servers = new Map(started.filter((each) => each.status === "fulfilled").map(({ value }) => value));
  const stop = async () => void (await Promise.all([...servers.values()].map((server) => server.stop())));
  try {
    for (const each of started) if (each.status === "rejected") throw each.reason;
    await Promise.all([...servers.values()].map(({ port }) => untilLed(port)));
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: [...servers.values()].map(({ url }) => url).join(","), servers, stop };
}

/** Without a leader nobody answers for JetStream. */
async function untilLed(port: number): Promise<void> {
  for (const deadline = Date.now() + READY_WITHIN_MS; Date.now() < deadline; await sleep(POLL_MS)) {
    const answer = await dialogue(port, ASK_FOR_ACCOUNT, (text) => /MSG answer .+\r\n.+\r\n/.test(text));
    if (answer?.includes("account_info_response") && !answer.includes('"error"')) return;
  }
  throw new ReplayError(`Cannot start a cluster: its JetStream has no leader after ${READY_WITHIN_MS / 1000} s.`);
}
