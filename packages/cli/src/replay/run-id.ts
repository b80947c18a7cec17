import { randomBytes } from "node:crypto";

/** Sorts by time, is told apart at a glance, and is a legal token everywhere: `20260131-120000-k3f9x2`. */
export function newRunId(nowMs: number = Date.now()): string {
  const time = new Date(nowMs).toISOString().replace(/[-:]/g, "").replace("T", "-").slice(0, 15);
  const suffix = BigInt(`0x${randomBytes(5).toString("hex")}`)
    .toString(36)
    .padStart(8, "0")
    .slice(-6);
  return `${time}-${suffix}`;
}
