import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const MICROS_A_TICK = 1e6 / Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** Fields of /proc/PID/stat behind the name in parentheses, counted from the one after it. */
const PARENT = 1;
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;

function statFields(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return null;
  }
}

/** User and system time of a process so far, its threads included; null where it has ended. */
export function cpuMicros(pid: number): number | null {
  const fields = statFields(pid);
  return fields && (Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS])) * MICROS_A_TICK;
}

/** The most memory that a process has had resident; null where it has ended. */
export function peakBytes(pid: number): number | null {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ?? [];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  } catch {
    return null;
  }
}

/** Process ids of all that descend from a process, whatever started them. */
export function descendants(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    const parent = Number.isInteger(pid) ? statFields(pid)?.[PARENT] : undefined;
    if (parent === undefined) continue;
    const siblings = children.get(Number(parent));
    if (siblings) siblings.push(pid);
    else children.set(Number(parent), [pid]);
  }
  const found: number[] = [];
  for (let next = children.get(root) ?? []; next.length > 0; next = next.flatMap((pid) => children.get(pid) ?? [])) {
    found.push(...next);
  }
  return found;
}
