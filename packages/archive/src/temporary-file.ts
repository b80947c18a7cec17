import { randomBytes } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";

const host = hostname().replace(/[^-\w]/g, "_");

/** Beside `path`, and named after who writes it: `kept.tar.gz.HOST-PID-RANDOM.new`. */
export function temporaryFor(path: string): string {
  return `${path}.${host}-${process.pid}-${randomBytes(6).toString("hex")}.new`;
}

/**
 * Removes what processes of this machine that are gone have left of archives beside this one: those made before runs have a
 * new name each time. What other machines that share the folder write stays: whether they live cannot be seen from here.
 */
export async function sweepTemporaries(path: string): Promise<void> {
  const folder = dirname(path);
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const [, writer, pid] = /\.([-\w]+)-(\d+)-[0-9a-f]{12}\.new$/.exec(name) ?? [];
    if (writer !== host) continue;
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(folder, name), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process is alive, too.
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}
