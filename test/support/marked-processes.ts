import { readdirSync, readFileSync } from "node:fs";

/** Processes that were started with this text in their environment, and their children: by what the system says now. */
export function processesMarked(marker: string): { pid: number; name: string }[] {
  const found: { pid: number; name: string }[] = [];
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    try {
      if (!readFileSync(`/proc/${pid}/environ`, "utf8").includes(marker)) continue;
      found.push({ pid, name: nameOf(pid) });
    } catch {
      // Gone meanwhile, or somebody else's.
    }
  }
  return found;
}

/** The name that `pgrep` matches. */
export function nameOf(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
}
