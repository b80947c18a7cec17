import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import {
  cacheDir,
  debianMirror,
  type ServerHandle,
  type ServerProgram,
  startManaged,
  unpackPackages,
} from "@cim-replay/testkit";

const run = promisify(execFile);

const RELEASE = "bookworm";
/** The server, and of what it is linked with that which a bare system lacks. */
const PACKAGES = [
  ...["postgresql-15", "libpq5", "libicu72", "libxml2", "libldap-2.5-0", "libsasl2-2", "libssl3"],
  ...["libgssapi-krb5-2", "libkrb5-3", "libk5crypto3", "libkrb5support0", "libcom-err2", "libkeyutils1"],
];
const SUPERUSER = "bench";

interface Programs {
  /** Holds `initdb` and `postgres`. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface Postgres extends ServerHandle {
  /** For clients: with user and database. */
  readonly databaseUrl: string;
}

/**
 * A PostgreSQL of its own on a loopback port: an installed one, else Debian's, unpacked into the project's cache without
 * root. As NATS does not wait for the disk with each write, this one does not either.
 */
export async function startPostgres(): Promise<Postgres> {
  const handle = await startManaged(postgresProgram(findInstalled() ?? (await fromCache())), {});
  return Object.assign(handle, { databaseUrl: `postgresql://${SUPERUSER}@127.0.0.1:${handle.port}/postgres` });
}

function postgresProgram({ folder, env }: Programs): ServerProgram {
  const [path = "", ...first] = [...asUser(), join(folder, "postgres")];
  let data = "";
  return {
    scheme: "postgresql",
    path,
    env,
    async prepare(dir, port) {
      data = join(dir, "data");
      const [command = "", ...rest] = [...asUser(), join(folder, "initdb")];
      const flags = ["-D", data, "-U", SUPERUSER, "--auth=trust", "--no-sync", "--no-locale", "-E", "UTF8"];
      if (!existsSync(data)) await run(command, [...rest, ...flags], { env: { ...process.env, ...env } });
      const settings = ["-c", "synchronous_commit=off", "-c", "listen_addresses=127.0.0.1"];
      return [...first, "-D", data, "-p", String(port), "-k", dir, ...settings];
    },
    isReady: () => saysReady(data),
  };
}

/** PostgreSQL refuses to be root; in a user namespace root is somebody else, and the files still belong to it. */
function asUser(): string[] {
  return process.getuid?.() === 0 ? ["unshare", "--user", "--map-user=1000", "--map-group=1000"] : [];
}

/** The server keeps its state in the last line of this file. */
async function saysReady(data: string): Promise<boolean> {
  const lines = (await readFile(join(data, "postmaster.pid"), "utf8").catch(() => "")).trimEnd().split("\n");
  return lines.at(-1)?.trim() === "ready";
}

function findInstalled(): Programs | null {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...versions.map((version) => join(debian, version, "bin")),
    ...(process.env.PATH ?? "").split(delimiter),
  ];
  const folder = folders.find((candidate) => hasServer(candidate));
  return folder === undefined ? null : { folder, env: {} };
}

function hasServer(folder: string): boolean {
  return existsSync(join(folder, "postgres")) && existsSync(join(folder, "initdb"));
}

async function fromCache(): Promise<Programs> {
  const root = join(cacheDir(), "debian", process.arch, `postgres-${RELEASE}`);
  if (!existsSync(root)) await fillCache(root);
  const lib = join(root, "usr", "lib");
  const libraries = readdirSync(lib).filter((name) => name.includes("-linux-"));
  return {
    folder: join(lib, "postgresql", "15", "bin"),
    env: { LD_LIBRARY_PATH: libraries.map((name) => join(lib, name)).join(delimiter) },
  };
}

async function fillCache(root: string): Promise<void> {
  await mkdir(join(root, ".."), { recursive: true });
  const workDir = await mkdtemp(join(root, "..", ".fill-"));
  try {
    await unpackPackages({ mirror: await debianMirror(), release: RELEASE }, PACKAGES, workDir, join(workDir, "root"));
    await rename(join(workDir, "root"), root);
  } catch (error) {
    throw new Error("Cannot get PostgreSQL from Debian's packages. Install it (`apt-get install postgresql`).", {
      cause: error,
    });
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}
