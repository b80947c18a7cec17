import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { errorMessage, ReplayError } from "@cim-replay/core";
import { probeBinary, type ServerBinary } from "./binary.ts";
import { unpackPackages } from "./debian-packages.ts";
import type { ServerKind } from "./versions.ts";

/** One way to get a server: a Debian release and the packages that hold the program and what it may lack. */
export interface Recipe {
  readonly kind: ServerKind;
  readonly release: string;
  readonly packages: readonly string[];
  readonly program: string;
}

const nats = (release: string): Recipe => ({
  kind: "nats",
  release,
  packages: ["nats-server"],
  program: "usr/sbin/nats-server",
});

const redis = (release: string, libssl: string): Recipe => ({
  kind: "redis",
  release,
  packages: ["redis-server", "redis-tools", "libatomic1", "libjemalloc2", "liblzf1", libssl],
  program: "usr/bin/redis-server",
});

/** Preferred first. A newer release's nats-server is static enough for older systems; redis needs the libc of its release or a newer one. */
export const RECIPES: Readonly<Record<ServerKind, readonly Recipe[]>> = {
  nats: [nats("forky"), nats("trixie"), nats("sid")],
  redis: [redis("bookworm", "libssl3"), redis("trixie", "libssl3t64"), redis("forky", "libssl3t64")],
};

/** $CIM_REPLAY_CACHE, else cim-replay in $XDG_CACHE_HOME or ~/.cache. */
export function cacheDir(env: NodeJS.ProcessEnv = process.env): string {
  if (env.CIM_REPLAY_CACHE) return resolve(env.CIM_REPLAY_CACHE);
  // The XDG specification: a path that is not absolute is to be ignored.
  const base = env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME) ? env.XDG_CACHE_HOME : join(homedir(), ".cache");
  return join(base, "cim-replay");
}

/** The recipe's server if the cache has it and it runs here. Needs no network. */
export async function fromCache(recipe: Recipe, cache: string): Promise<ServerBinary | null> {
  const root = recipeDir(recipe, cache);
  return existsSync(join(root, recipe.program)) ? probeUnpacked(recipe, root) : null;
}

/**
 * Fills the cache by a recipe and returns the server. Processes that fill at the same time do not disturb each other:
 * each unpacks apart, the first to finish moves its folder into place, the others take that one.
 * Throws ReplayError saying why this way is closed.
 */
export async function fillCache(recipe: Recipe, cache: string, mirror: string): Promise<ServerBinary> {
  const target = recipeDir(recipe, cache);
  await mkdir(join(target, ".."), { recursive: true });
  const workDir = await mkdtemp(join(target, "..", ".fill-"));
  try {
    const root = join(workDir, "root");
    await unpackPackages({ mirror, release: recipe.release }, recipe.packages, workDir, root);
    if ((await probeUnpacked(recipe, root)) === null)
      throw new ReplayError("its server does not run here or is too old");
    await rename(root, target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } catch (error) {
    throw new ReplayError(`Debian ${recipe.release}: ${tellingLine(errorMessage(error))}`, { cause: error });
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
  const binary = await fromCache(recipe, cache);
  if (binary === null) throw new ReplayError(`Debian ${recipe.release}: ${target} holds something else`);
  return binary;
}

async function probeUnpacked(recipe: Recipe, root: string): Promise<ServerBinary | null> {
  const libraries = await libraryDirs(root);
  const env: Record<string, string> = libraries.length > 0 ? { LD_LIBRARY_PATH: libraries.join(":") } : {};
  return probeBinary(recipe.kind, join(root, recipe.program), "cache", env);
}

async function libraryDirs(root: string): Promise<string[]> {
  const lib = join(root, "usr", "lib");
  const entries = await readdir(lib).catch(() => []);
  return entries.filter((name) => name.includes("-linux-")).map((name) => join(lib, name));
}

function recipeDir(recipe: Recipe, cache: string): string {
  return join(cache, "debian", process.arch, `${recipe.kind}-${recipe.release}`);
}

/** Apt's first error: the ones after it tell that there were errors. */
function tellingLine(text: string): string {
  const lines = text.trim().split("\n");
  return lines.find((line) => line.startsWith("E: ")) ?? lines.at(-1) ?? text;
}
