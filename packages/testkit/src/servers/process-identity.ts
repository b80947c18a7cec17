import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const exec = promisify(execFile);

/**
 * When the process with this id started, in a form that only compares as equal or not; null where there is none.
 * Id and start time together name one process for good, also across reboots: a reused id has another start time.
 */
export async function processStart(pid: number): Promise<string | null> {
  const bootId = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => null);
  return bootId === null ? startFromPs(pid) : startFromProc(pid, bootId.trim());
}

async function startFromProc(pid: number, bootId: string): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  // The program's name stands in parentheses and may itself hold any: fields count from the last one.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const state = fields?.[0];
  const startTicks = fields?.[19];
  return startTicks === undefined || state === "Z" || state === "X" ? null : `${bootId}/${startTicks}`;
}

/** For systems without /proc; to the second. */
export async function startFromPs(pid: number): Promise<string | null> {
  const result = await exec("ps", ["-o", "stat=,lstart=", "-p", String(pid)]).catch(() => null);
  const [, state, start] = /^(\S+)\s+(.+)$/.exec(result?.stdout.trim() ?? "") ?? [];
  return start === undefined || state?.startsWith("Z") ? null : start;
}
