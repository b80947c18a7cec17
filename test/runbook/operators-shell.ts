import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ServerPair } from "@cim-replay/testkit";

const BIN = fileURLToPath(new URL("../../node_modules/.bin", import.meta.url));
const STAND_INS = fileURLToPath(new URL("./stand-ins", import.meta.url));
const PATIENCE_MS = 120_000;
const run = promisify(execFile);

/** Folders that documents name and tests must not touch. */
const FOLDERS = ["/backup", "/var/log/cim", "/var/lib/cim", "/etc/cim"];

export interface ShellResult {
  readonly status: number;
  readonly output: string;
}

/**
 * An operator's shell in a folder of its own: the project's commands as they are built, real servers, and stand-ins for what
 * is not this project's (`nix run .#X --` is the command X; `systemctl` and `kubectl` write down what they were asked).
 * Variables that a script exports are there for the next one.
 */
export class OperatorsShell {
  readonly folder: string;
  readonly #env: Record<string, string>;
  readonly #placeholders: Readonly<Record<string, string>>;

  private constructor(folder: string, env: Record<string, string>, placeholders: Readonly<Record<string, string>>) {
    this.folder = folder;
    this.#env = env;
    this.#placeholders = placeholders;
  }

  static async open(servers: ServerPair, placeholders: Readonly<Record<string, string>>): Promise<OperatorsShell> {
    const folder = await mkdtemp(join(tmpdir(), "cim-replay-runbook-"));
    for (const name of FOLDERS) await mkdir(join(folder, name), { recursive: true });
    const bin = join(folder, "bin");
    await mkdir(bin);
    for (const name of ["systemctl", "kubectl"]) await recorder(join(bin, name), join(folder, "recorded.log"));
    const { PATH = "" } = process.env;
    return new OperatorsShell(
      folder,
      {
        PATH: [bin, STAND_INS, BIN, PATH].join(delimiter),
        HOME: folder,
        XDG_CONFIG_HOME: join(folder, ".config"),
        CIM_REPLAY_BACKUP_DIR: join(folder, "backups"),
        NATS_URL: servers.nats.url,
        REDIS_URL: servers.redis.url,
      },
      placeholders,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  write(name: string, text: string): Promise<void> {
    return writeFile(join(this.folder, name), text);
  }

  /** What the recorders were asked, a line each. */
  async recorded(): Promise<string> {
    return readFile(join(this.folder, "recorded.log"), "utf8").catch(() => "");
  }

  /** Runs a script with bash; every command of it must succeed, or it ends there. */
  async run(script: string): Promise<ShellResult> {
    const kept = join(this.folder, ".exported");
    const text = [
      "set -eu -o pipefail",
      `if [ -f ${kept} ]; then source ${kept}; fi`,
      this.#inFolder(script),
      `export -p | grep -E ' [A-Z_]+=' > ${kept}`,
    ].join("\n");
    const options = { cwd: this.folder, env: this.#env, timeout: PATIENCE_MS, maxBuffer: 64 * 1024 * 1024 };
    try {
      const { stdout, stderr } = await run("bash", ["-c", text], options);
      return { status: 0, output: stdout + stderr };
    } catch (error) {
      const { code, stdout, stderr, message } = error as Error & { code?: unknown; stdout?: string; stderr?: string };
      if (typeof code !== "number") throw new Error(`Cannot run a script to its end: ${message}\n${stdout}${stderr}`);
      return { status: code, output: `${stdout}${stderr}` };
    }
  }

  #inFolder(script: string): string {
    let text = script;
    for (const [name, value] of Object.entries(this.#placeholders)) text = text.replaceAll(`<${name}>`, value);
    for (const name of FOLDERS) {
      text = text.replaceAll(new RegExp(`(?<![\\w./])${name}(?=[/ ]|$)`, "gm"), join(this.folder, name));
    }
    return text;
  }
}

async function recorder(path: string, log: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\necho "$(basename "$0") $*" >> ${log}\n`);
  await chmod(path, 0o755);
}
