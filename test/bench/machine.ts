import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { locateRedis } from "@cim-replay/testkit";
import type { Benches } from "./bench-setup.ts";
import type { Results } from "./results.ts";

export function describeMachine(): Results["machine"] {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() || "unknown",
    memoryBytes: totalmem(),
    os: /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? process.platform,
    loadBefore: loadavg()[0] ?? 0,
  };
}

export async function describeVersions(benches: Benches): Promise<Record<string, string>> {
  const { version } = await locateRedis();
  const servers = [...benches].map(([line, { client }]) => [`nats-server, ${line}`, client.serverVersion] as const);
  return {
    "cim-replay": revision(),
    node: process.version.slice(1),
    ...Object.fromEntries(servers),
    redis: `${version.major}.${version.minor}.${version.patch}`,
  };
}

/** Sources need not come from git. */
function revision(): string {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty"], {
      encoding: "utf8",
      cwd: import.meta.dirname,
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "of an unknown revision";
  }
}
