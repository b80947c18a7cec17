import { execFile, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { until } from "./until.ts";

const SCRIPT = fileURLToPath(new URL("live-systemd.sh", import.meta.url));
const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const STARTS_WITHIN_MS = 30_000;

const run = promisify(execFile);

/** A systemd that is at work, in namespaces of its own, with this project's units. */
export class LiveSystemd {
  readonly #leader: number;
  readonly #group: string;

  private constructor(leader: number, group: string) {
    this.#leader = leader;
    this.#group = group;
  }

  /** A text says why there can be none here. */
  static async start(): Promise<LiveSystemd | string> {
    if (process.getuid?.() !== 0) return "it takes root";
    if (!existsSync("/lib/systemd/systemd")) return "there is no systemd (Debian: apt-get install systemd)";
    const groups = /^\S+ (\S+) cgroup2 /m.exec(readFileSync("/proc/self/mounts", "utf8"))?.[1];
    if (groups === undefined) return "there are no control groups of version 2";
    const group = join(groups, `cim-replay-test-${process.pid}`);
    const child = spawn("bash", [SCRIPT, REPOSITORY, group], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
    const leader = () => childOf(child.pid ?? 0);
    try {
      return await until(
        async () => {
          if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${said}`);
          const pid = leader();
          const systemd = pid === null ? null : new LiveSystemd(pid, group);
          return (await systemd?.isUp()) ? systemd : null;
        },
        "systemd to be up",
        STARTS_WITHIN_MS,
      );
    } catch (error) {
      const pid = leader();
      if (pid !== null) new LiveSystemd(pid, group).#kill();
      removeGroups(group);
      return `it does not start: ${error instanceof Error ? error.message : error} ${said.slice(-500)}`;
    }
  }

  async isUp(): Promise<boolean> {
    return (await this.do("systemctl is-active tests.target").catch(() => "")) === "active";
  }

  /** What a shell inside prints. Throws where its status is not 0. */
  async do(line: string): Promise<string> {
    const inside = ["-t", String(this.#leader), "-m", "-p", "-i", "-u", "-C", "--", "sh", "-c", line];
    return (await run("nsenter", inside)).stdout.trim();
  }

  async property(unit: string, name: string): Promise<string> {
    return this.do(`systemctl show --value -p ${name} ${unit}`);
  }

  async stop(): Promise<void> {
    this.#kill();
    await until(() => !existsSync(`/proc/${this.#leader}`), "systemd to be gone");
    // The last of its processes leave their groups a moment later.
    await until(() => removeGroups(this.#group), "its control groups to be empty");
  }

  /** All its processes with it: it is the first of theirs. */
  #kill(): void {
    process.kill(this.#leader, "SIGKILL");
  }
}

function childOf(pid: number): number | null {
  const path = `/proc/${pid}/task/${pid}/children`;
  if (!existsSync(path)) return null;
  const [first] = readFileSync(path, "utf8").trim().split(" ");
  return first ? Number(first) : null;
}

function removeGroups(group: string): boolean {
  if (!existsSync(group)) return true;
  try {
    for (const entry of readdirSync(group, { withFileTypes: true })) {
      if (entry.isDirectory()) removeGroups(join(group, entry.name));
    }
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
}
