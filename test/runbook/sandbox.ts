import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, type ServerPair, startServerPair } from "@cim-replay/testkit";
import { withDeclaredStatuses } from "./doc-blocks.ts";
import { layOutPrograms } from "./stand-ins.ts";

const SLOW_PROJECTION = fileURLToPath(new URL("../faults/slow-projection.ts", import.meta.url));

export interface ShellResult {
  readonly status: number | null;
  readonly output: string;
}

/** Servers, folders, programs and settings of its own, in which a document's commands run as their reader's would. */
export class Sandbox {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly #servers: ServerPair;
  readonly #metricsPort: number;
  readonly #words = new Map<string, string>();

  static async open(): Promise<Sandbox> {
    return new Sandbox(await startServerPair(), await freePort());
  }

  private constructor(servers: ServerPair, metricsPort: number) {
    this.#servers = servers;
    this.#metricsPort = metricsPort;
    this.folder = mkdtempSync(join(tmpdir(), "cim-replay-runbook-"));
    for (const name of ["backup", "var/log/cim", "var/lib/cim/checkpoints", "etc/cim", "home", "tmp"]) {
      mkdirSync(join(this.folder, name), { recursive: true });
    }
    this.env = {
      PATH: layOutPrograms(join(this.folder, "bin")),
      HOME: join(this.folder, "home"),
      TMPDIR: join(this.folder, "tmp"),
      RUNBOOK_DIR: this.folder,
      RUNBOOK_REAL_PATH: process.env.PATH ?? "",
      NATS_URL: servers.nats.url,
      NATS_CONTEXT: "none",
      REDIS_URL: servers.redis.url,
      CIM_REPLAY_BACKUP_DIR: join(this.folder, "backup"),
      XDG_STATE_HOME: join(this.folder, "home/state"),
      XDG_CONFIG_HOME: join(this.folder, "home/config"),
      XDG_CACHE_HOME: join(this.folder, "home/cache"),
      TERM: "dumb",
    };
    writeFileSync(join(this.folder, "cim-replay.yaml"), this.#settings());
  }

  /** `services` are switches in a folder: what stops and starts them is in services.test.ts. */
  #settings(): string {
    return `metrics-port: ${this.#metricsPort}
log-file: ./var/log/cim/replay.log
services:
  - name: importer
    command:
      start: { shell: "touch importer.runs" }
      stop: { shell: "rm -f importer.runs" }
      status: { shell: "test -e importer.runs" }
`;
  }

  /** From now on `from` in a script means `to`. */
  substitute(from: string, to: string): void {
    this.#words.set(from, to);
  }

  /** With it a replay folds slowly, for what is done while a run is at work. */
  get slowEnv(): Record<string, string> {
    return { CIM_REPLAY_PROJECTION: SLOW_PROJECTION, FAULTS_EVENT_MICROS: "40000" };
  }

  /** Runs a script with bash, ending at the first command that fails. */
  run(script: string, env: Readonly<Record<string, string>> = {}): Promise<ShellResult> {
    const text = `set -euo pipefail\n${withDeclaredStatuses(this.#placed(script))}\n`;
    const child = spawn("bash", ["-c", text], {
      cwd: this.folder,
      env: { ...this.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (more: string) => {
        output += more;
      });
    }
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status) => resolve({ status, output }));
    });
  }

  #placed(script: string): string {
    let text = script;
    for (const [from, to] of this.#words) text = text.replaceAll(from, to);
    return text
      .replaceAll("localhost:9091", `127.0.0.1:${this.#metricsPort}`)
      .replace(/(?<=^|[\s="'])\/(backup|var\/log\/cim|var\/lib\/cim|etc\/cim)\b/gm, `${this.folder}/$1`);
  }

  async close(): Promise<void> {
    await this.#servers.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
