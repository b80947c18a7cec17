import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ReplayError } from "@cim-replay/core";
import type { ServerBinary } from "./binary.ts";
import { type BackgroundServer, readState, withLock, writeState } from "./background-state.ts";
import { cacheDir } from "./cache.ts";
import { type LocatedServer, type LocateOptions, locateServers } from "./locate.ts";
import { launch, logFileOf } from "./launch.ts";
import { natsProgram } from "./nats-server.ts";
import { freePort, isPortFree } from "./ports.ts";
import { processStart } from "./process-identity.ts";
import { redisProgram } from "./redis-server.ts";
import { formatVersion, type ServerKind } from "./versions.ts";

export interface BackgroundOptions {
  /** Folder of the servers' data, logs and the state file; default `servers` in the project's cache. */
  readonly dir?: string | undefined;
}

export interface UpOptions extends BackgroundOptions {
  /** A NATS that runs already: none is started. */
  readonly natsUrl?: string | undefined;
  readonly redisUrl?: string | undefined;
  /** Ports to listen on; default 4222 and 6379, or any free one where somebody listens there. */
  readonly natsPort?: number | undefined;
  readonly redisPort?: number | undefined;
  readonly locate?: LocateOptions;
}

export type UpResult = { readonly kind: ServerKind; readonly url: string } & (
  | { readonly state: "given" }
  | { readonly state: "started" | "already up"; readonly server: BackgroundServer }
);

export type ServerStatus = BackgroundServer & { readonly running: boolean };

export type DownResult = BackgroundServer & { readonly outcome: "ended" | "was not running" };

const DEFAULT_PORTS: Readonly<Record<ServerKind, number>> = { nats: 4222, redis: 6379 };
const END_TIMEOUT_MS = 10_000;

/** Starts both servers so that they outlive this process. Those that are up stay as they are; data are kept between ups. */
export async function serversUp(options: UpOptions = {}): Promise<{ nats: UpResult; redis: UpResult }> {
  const dir = stateDir(options);
  return withLock(dir, async () => {
    const running = (await statuses(dir)).filter((server) => server.running);
    const up = new Map(running.map(({ running: _, ...server }) => [server.kind, server]));
    const located = await locateServers({
      ...options.locate,
      natsUrl: options.natsUrl ?? up.get("nats")?.url,
      redisUrl: options.redisUrl ?? up.get("redis")?.url,
    });
    const bringUp = async (kind: ServerKind, place: LocatedServer, port: number | undefined): Promise<UpResult> => {
      const server = up.get(kind);
      if ("binary" in place) {
        const started = await startInBackground(kind, place.binary, { dir: join(dir, kind), port }, (server) => {
          up.set(kind, server);
          return writeState(dir, [...up.values()]);
        });
        return { kind, state: "started", url: started.url, server: started };
      }
      return server?.url === place.url
        ? { kind, state: "already up", url: server.url, server }
        : { kind, state: "given", url: place.url };
    };
    const nats = await bringUp("nats", located.nats, options.natsPort);
    return { nats, redis: await bringUp("redis", located.redis, options.redisPort) };
  });
}

/** The servers that serversUp() started and nobody has taken down, and whether they still run. */
export function serversStatus(options: BackgroundOptions = {}): Promise<ServerStatus[]> {
  return statuses(stateDir(options));
}

/** Ends the servers that serversUp() started, and no other process: not one that has been given the id of an ended server. */
export async function serversDown(options: BackgroundOptions = {}): Promise<DownResult[]> {
  const dir = stateDir(options);
  return withLock(dir, async () => {
    const results: DownResult[] = [];
    for (const { running, ...server } of await statuses(dir)) {
      if (running) await endProcess(server);
      results.push({ ...server, outcome: running ? "ended" : "was not running" });
    }
    await writeState(dir, []);
    return results;
  });
}

function stateDir(options: BackgroundOptions): string {
  return resolve(options.dir ?? join(cacheDir(), "servers"));
}

async function statuses(dir: string): Promise<ServerStatus[]> {
  const servers = await readState(dir);
  return Promise.all(servers.map(async (server) => ({ ...server, running: await isRunning(server) })));
}

async function isRunning(server: BackgroundServer): Promise<boolean> {
  return (await processStart(server.pid)) === server.start;
}

async function startInBackground(
  kind: ServerKind,
  binary: ServerBinary,
  place: { readonly dir: string; readonly port: number | undefined },
  record: (server: BackgroundServer) => Promise<void>,
): Promise<BackgroundServer> {
  const { dir } = place;
  const port = place.port ?? ((await isPortFree(DEFAULT_PORTS[kind])) ? DEFAULT_PORTS[kind] : await freePort());
  const program = kind === "nats" ? natsProgram(binary, {}) : redisProgram(binary);
  const url = `${program.scheme}://127.0.0.1:${port}`;
  const about = { kind, port, url, dir, logFile: logFileOf(program, dir), version: formatVersion(binary.version) };
  let server: BackgroundServer | null = null;
  // Recorded before it is ready: a server that the state file does not name would be nobody's if we died now.
  const { failure } = await launch(program, dir, port, async (_child, pid) => {
    const start = await processStart(pid);
    if (start === null) return;
    server = { ...about, pid, start, startedAt: new Date().toISOString() };
    await record(server);
  });
  if (failure !== null || server === null)
    throw new ReplayError(`Cannot start ${binary.path} on port ${port}: ${failure ?? "it ended"}.`);
  return server;
}

async function endProcess(server: BackgroundServer): Promise<void> {
  process.kill(server.pid, "SIGTERM");
  const deadline = Date.now() + END_TIMEOUT_MS;
  while (Date.now() < deadline) {
    if (!(await isRunning(server))) return;
    await sleep(20);
  }
  if (await isRunning(server)) process.kill(server.pid, "SIGKILL");
}
