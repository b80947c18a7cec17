import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ReplayError, UsageError } from "@cim-replay/core";
import { processStart } from "./process-identity.ts";
import type { ServerKind } from "./versions.ts";

/** A server that `serversUp` started, as its state file keeps it. */
export interface BackgroundServer {
  readonly kind: ServerKind;
  readonly pid: number;
  /** As processStart() gives it: tells this process from a later one with the same id. */
  readonly start: string;
  readonly startedAt: string;
  readonly port: number;
  readonly url: string;
  readonly version: string;
  readonly dir: string;
  readonly logFile: string;
}

const stateFile = (dir: string) => join(dir, "servers.json");

/** The servers in the state file of `dir`, running or not; none where there is no file. */
export async function readState(dir: string): Promise<BackgroundServer[]> {
  const file = stateFile(dir);
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "[]";
    throw error;
  });
  try {
    const servers: unknown = JSON.parse(text);
    if (Array.isArray(servers) && servers.every(isServer)) return servers;
  } catch {
    // Told below, as any other content that is not ours.
  }
  throw new ReplayError(
    `Cannot read ${file}: it is no list of servers. Remove it; servers still running are yours to end.`,
  );
}

export async function writeState(dir: string, servers: readonly BackgroundServer[]): Promise<void> {
  const file = stateFile(dir);
  await writeFile(`${file}.new`, `${JSON.stringify(servers, null, 2)}\n`);
  await rename(`${file}.new`, file);
}

/** Runs `work` while no other process changes the servers of `dir`. Throws UsageError where one is at it. */
export async function withLock<T>(dir: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dir, { recursive: true });
  const file = join(dir, "servers.lock");
  if (!(await takeLock(file))) {
    const [pid = "", start] = (await readFile(file, "utf8").catch(() => "")).split("\n");
    const isHeld = start !== undefined && (await processStart(Number(pid))) === start;
    if (isHeld)
      throw new UsageError(`Cannot change the servers in ${dir}: process ${pid} is doing so. Wait for its end.`);
    await rm(file, { force: true });
    if (!(await takeLock(file)))
      throw new UsageError(`Cannot change the servers in ${dir}: ${file} is held. Try again.`);
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function takeLock(file: string): Promise<boolean> {
  const own = `${file}.${process.pid}`;
  await writeFile(own, `${process.pid}\n${await processStart(process.pid)}`);
  try {
    // Unlike a file opened as new, a link has its content from the beginning.
    await link(own, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

function isServer(value: unknown): value is BackgroundServer {
  const { kind, pid, start, url } = (value ?? {}) as Partial<Record<keyof BackgroundServer, unknown>>;
  return (
    (kind === "nats" || kind === "redis") &&
    Number.isSafeInteger(pid) &&
    Number(pid) > 1 &&
    typeof start === "string" &&
    typeof url === "string"
  );
}
