import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cacheDir } from "@cim-replay/testkit";

const MANIFESTS = fileURLToPath(new URL("emmett/", import.meta.url));
const FOLDER = "emmett-0.42.0";

/**
 * The folder of emmett's packages, in the versions of `emmett/package-lock.json`. They are released without a licence,
 * so they are no dependency of this project: they are installed, without running scripts, where this peer is measured.
 */
export async function emmettModules(): Promise<string> {
  const folder = join(cacheDir(), "peers", FOLDER);
  if (!existsSync(folder)) await install(folder);
  return folder;
}

async function install(folder: string): Promise<void> {
  await mkdir(join(folder, ".."), { recursive: true });
  const workDir = await mkdtemp(join(folder, "..", ".fill-"));
  try {
    for (const name of ["package.json", "package-lock.json"])
      await copyFile(join(MANIFESTS, name), join(workDir, name));
    await promisify(execFile)("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: workDir });
    await rename(workDir, folder);
  } catch (error) {
    throw new Error("Cannot install emmett with npm; without it this peer is not measured.", { cause: error });
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}
