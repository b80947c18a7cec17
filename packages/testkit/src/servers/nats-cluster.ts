import { setTimeout as sleep } from "node:timers/promises";
import { ReplayError } from "@cim-replay/core";
import { dialogue } from "./dialogue.ts";
import type { ServerHandle } from "./managed-server.ts";
import { type NatsOptions, startNats } from "./nats-server.ts";
import { freePort } from "./ports.ts";
import { uniqueName } from "./unique-name.ts";
import { Wire } from "./wire.ts";

export interface NatsCluster {
  /** All servers' addresses, separated by commas. */
  readonly url: string;
  /** By server name, in order. */
  readonly servers: ReadonlyMap<string, ServerHandle>;
  stop(): Promise<void>;
}

export interface PartableCluster extends NatsCluster {
  /** Nothing comes from or to this server any more but what its clients send and get. */
  part(server: string): void;
  /** All can reach all again. */
  heal(): void;
}

/** Servers tell each other of others: what they tell must not be a way around the wires. */
const UNREACHABLE = 'advertise: "127.0.0.1:1",';
const READY_WITHIN_MS = 60_000;
const POLL_MS = 100;
const ASK_FOR_ACCOUNT = "CONNECT {}\r\nSUB answer 1\r\nPUB $JS.API.INFO answer 0\r\n\r\n";

/** Starts servers on loopback ports that replicate each other's streams; resolves when their JetStream has a leader. */
export async function startNatsCluster(size = 3, options: Pick<NatsOptions, "binary"> = {}): Promise<NatsCluster> {
  const ports = await freePorts(size);
  return startRouted(ports, () => ports, options);
}

/** The same, with each server's ways to the others such that they can be cut. */
export async function startPartableCluster(size = 3): Promise<PartableCluster> {
  const ports = await freePorts(size);
  const wires = await Promise.all(ports.map(() => Promise.all(ports.map((port) => Wire.lay(port)))));
  const all = wires.flat();
  const close = async () => void (await Promise.all(all.map((wire) => wire.close())));
  try {
    const cluster = await startRouted(ports, (at) => (wires[at] ?? []).map(({ port }) => port), {}, UNREACHABLE);
    const names = [...cluster.servers.keys()];
    return {
      ...cluster,
      part(name) {
        const alone = names.indexOf(name);
        for (const [from, ways] of wires.entries()) {
          for (const [to, wire] of ways.entries()) if (from === alone || to === alone) wire.die();
        }
      },
      heal() {
        for (const wire of all) wire.revive();
      },
      stop: async () => {
        await cluster.stop();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startRouted(
  ports: readonly number[],
  /** Where the server at this place finds the others, and itself. */
  routesOf: (at: number) => readonly number[],
  options: Pick<NatsOptions, "binary">,
  advertise = "",
): Promise<NatsCluster> {
  const name = uniqueName("cluster");
  const starting = ports.map(async (port, at) => {
    const routes = routesOf(at)
      .map((route) => `"nats://127.0.0.1:${route}"`)
      .join(", ");
    const config = `cluster { name: "${name}", listen: "127.0.0.1:${port}", ${advertise} routes: [${routes}] }`;
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

function freePorts(count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, () => freePort()));
}

/** Without a leader nobody answers for JetStream. */
async function untilLed(port: number): Promise<void> {
  for (const deadline = Date.now() + READY_WITHIN_MS; Date.now() < deadline; await sleep(POLL_MS)) {
    const answer = await dialogue(port, ASK_FOR_ACCOUNT, (text) => /MSG answer .+\r\n.+\r\n/.test(text));
    if (answer?.includes("account_info_response") && !answer.includes('"error"')) return;
  }
  throw new ReplayError(`Cannot start a cluster: its JetStream has no leader after ${READY_WITHIN_MS / 1000} s.`);
}
