import { spawnSync } from "node:child_process";

/** Prometheus' own checker; tests that need it are skipped where it is not there. */
export const isPromtoolThere = spawnSync("promtool", ["--version"]).error === undefined;

export function promtool(...args: readonly string[]): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync("promtool", args, { encoding: "utf8" });
  return { status, text: `${stdout}${stderr}` };
}
