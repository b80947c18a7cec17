import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ReplayError } from "@cim-replay/core";
import { run } from "./run.ts";

// Newer Debian releases use the second name.
const KEYRINGS = ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];

/** A Debian release at a mirror: what stands between `deb` and `main` in a sources list. */
export interface Archive {
  readonly mirror: string;
  readonly release: string;
}

/**
 * Downloads packages and unpacks them into `root`, without root rights and without touching the system's own package
 * lists: apt gets a configuration of its own inside `workDir`. Throws what apt says where it fails.
 */
export async function unpackPackages(
  archive: Archive,
  packages: readonly string[],
  workDir: string,
  root: string,
): Promise<void> {
  const aptOptions = ["-qq", "-c", await writeAptConfig(archive, workDir)];
  await run("apt-get", [...aptOptions, "update"], workDir);
  await run("apt-get", [...aptOptions, "download", ...packages], workDir);
  await mkdir(root, { recursive: true });
  for (const file of await readdir(workDir)) {
    if (file.endsWith(".deb")) await run("dpkg", ["-x", file, root], workDir);
  }
}

async function writeAptConfig({ mirror, release }: Archive, workDir: string): Promise<string> {
  const architecture = (await run("dpkg", ["--print-architecture"], workDir)).trim();
  const keyring = KEYRINGS.find((file) => existsSync(file));
  if (keyring === undefined) throw new ReplayError("the package debian-archive-keyring is not installed");
  const options = `arch=${architecture} signed-by=${keyring} target=Packages`;
  await mkdir(join(workDir, "lists", "partial"), { recursive: true });
  await mkdir(join(workDir, "cache", "archives", "partial"), { recursive: true });
  await writeFile(join(workDir, "status"), "");
  await writeFile(join(workDir, "sources.list"), `deb [${options}] ${mirror} ${release} main\n`);
  const settings: Record<string, string> = {
    "Dir::Etc::sourcelist": join(workDir, "sources.list"),
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::Etc::preferences": "/dev/null",
    "Dir::Etc::preferencesparts": "/dev/null",
    "Dir::State::Lists": join(workDir, "lists"),
    "Dir::State::status": join(workDir, "status"),
    "Dir::Cache": join(workDir, "cache"),
    // Without it, update succeeds where the mirror cannot be reached, and the error that follows misleads.
    "APT::Update::Error-Mode": "any",
    "Acquire::Retries": "1",
    "Acquire::http::Timeout": "20",
    "Acquire::https::Timeout": "20",
    // Started by root, apt would read and write as a user who may not enter this folder.
    "APT::Sandbox::User": "root",
  };
  const file = join(workDir, "apt.conf");
  await writeFile(
    file,
    Object.entries(settings)
      .map(([key, value]) => `${key} "${value}";\n`)
      .join(""),
  );
  return file;
}
