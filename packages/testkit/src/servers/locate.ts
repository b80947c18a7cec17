import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { errorMessage, UsageError } from "@cim-replay/core";
import { probeBinary, type ServerBinary } from "./binary.ts";
import { cacheDir, fillCache, fromCache, RECIPES } from "./cache.ts";
import { debianMirror } from "./debian-mirror.ts";
import { isOldestLine, oldestSupported, type ServerKind, type Version } from "./versions.ts";

export interface LocateOptions {
  /** "oldest": a server of the oldest supported release line (nats-server 2.10). Default "any": the newest at hand. */
  readonly version?: "any" | "oldest";
  /** Folder of the project's own cache; default as `cacheDir()` says. */
  readonly cache?: string;
  /** Folders in which installed programs are looked for; default those of PATH, and /usr/sbin. */
  readonly folders?: readonly string[];
}

/** A server that runs already, or a program to start. */
export type LocatedServer = { readonly url: string } | { readonly binary: ServerBinary };

const PROGRAMS: Readonly<Record<ServerKind, readonly string[]>> = {
  nats: ["nats-server"],
  redis: ["redis-server", "valkey-server"],
};

/** For each server: the URL if one is given, else a program from PATH, the cache, or Debian's packages. */
export async function locateServers(
  options: LocateOptions & { readonly natsUrl?: string | undefined; readonly redisUrl?: string | undefined } = {},
): Promise<{ nats: LocatedServer; redis: LocatedServer }> {
  const { natsUrl, redisUrl, ...rest } = options;
  const nats = natsUrl ? { url: natsUrl } : { binary: await locateNats(rest) };
  const redis = redisUrl ? { url: redisUrl } : { binary: await locateRedis(rest) };
  return { nats, redis };
}

/** A nats-server of version 2.10.27 or newer. Throws UsageError naming the ways to get one. */
export function locateNats(options: LocateOptions = {}): Promise<ServerBinary> {
  return locate("nats", options);
}

/** A redis-server (or valkey-server) of version 6.2 or newer. Throws UsageError naming the ways to get one. */
export function locateRedis(options: Omit<LocateOptions, "version"> = {}): Promise<ServerBinary> {
  return locate("redis", { ...options, version: "any" });
}

async function locate(kind: ServerKind, options: LocateOptions): Promise<ServerBinary> {
  const cache = options.cache ?? cacheDir();
  const isWanted = (version: Version) => options.version !== "oldest" || isOldestLine(kind, version);
  const ready =
    (await findInFolders(kind, options.folders ?? systemFolders(), isWanted)) ??
    (await findInCache(kind, cache, isWanted));
  if (ready !== null) return ready;
  const { binary, reasons } = await download(kind, cache, isWanted);
  if (binary !== null) return binary;
  throw new UsageError(waysToGet(kind, reasons));
}

type IsWanted = (version: Version) => boolean;

function systemFolders(): string[] {
  // Debian installs nats-server into /usr/sbin, which users other than root do not have on PATH.
  return [...(process.env.PATH ?? "").split(delimiter).filter(Boolean), "/usr/sbin"];
}

async function findInFolders(
  kind: ServerKind,
  folders: readonly string[],
  isWanted: IsWanted,
): Promise<ServerBinary | null> {
  const paths = PROGRAMS[kind].flatMap((program) => folders.map((folder) => join(folder, program)));
  for (const path of new Set(paths)) {
    const binary = existsSync(path) ? await probeBinary(kind, path, "PATH") : null;
    if (binary !== null && isWanted(binary.version)) return binary;
  }
  return null;
}

async function findInCache(kind: ServerKind, cache: string, isWanted: IsWanted): Promise<ServerBinary | null> {
  for (const recipe of RECIPES[kind]) {
    const binary = await fromCache(recipe, cache);
    if (binary !== null && isWanted(binary.version)) return binary;
  }
  return null;
}

/** Tries one Debian release after the other; what it downloads stays in the cache. */
async function download(
  kind: ServerKind,
  cache: string,
  isWanted: IsWanted,
): Promise<{ binary: ServerBinary | null; reasons: string[] }> {
  const reasons: string[] = [];
  try {
    const mirror = await debianMirror();
    for (const recipe of RECIPES[kind]) {
      const binary = await fillCache(recipe, cache, mirror).catch((error: unknown) => {
        reasons.push(errorMessage(error));
        return null;
      });
      if (binary !== null && isWanted(binary.version)) return { binary, reasons };
    }
  } catch (error) {
    reasons.push(errorMessage(error));
  }
  return { binary: null, reasons };
}

function waysToGet(kind: ServerKind, reasons: readonly string[]): string {
  const program = `${kind}-server`;
  const image = kind === "nats" ? "-p 4222:4222 nats -js" : "-p 6379:6379 redis";
  return (
    `Cannot find ${program}: version ${oldestSupported(kind)} or newer is neither on PATH nor in the cache, and cannot ` +
    `be downloaded (${reasons.join("; ")}). Install it (\`apt-get install ${program}\` on Debian trixie or newer; ` +
    `\`nix shell nixpkgs#${kind === "nats" ? program : kind}\`), or start one (\`docker run -d ${image}\`) ` +
    `and set ${kind.toUpperCase()}_URL.`
  );
}
