import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { until } from "./until.ts";

const SCRIPT = fileURLToPath(new URL("live-systemd.sh", import.meta.url));
const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const STARTS_WITHIN_MS = 30_000;
/** What the script takes beside systemd itself. */
const PROBE =
  "mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w && mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w /etc";

const run = promisify(execFile);

/** A systemd that is at work, in namespaces of its own, with this project's units. */
export class LiveSystemd {
  readonly #process: ChildProcess;
  readonly #group: string;
  #said = "";

  private constructor(process: ChildProcess, group: string) {
    this.#process = process;
    this.#group = group;
    for (const stream of [process.stdout, process.stderr]) stream?.on("data", (text) => (this.#said += text));
  }

  /** Null where there can be one here. */
  static whyNot(): string | null {
    if (process.getuid?.() !== 0) return "it takes root";
    if (!existsSync("/lib/systemd/systemd")) return "there is no systemd (Debian: apt-get install systemd)";
    if (groupsFolder() === undefined) return "there are no control groups of version 2";
    const probe = ["--fork", "--pid", "--mount", "--cgroup", "--propagation", "private", "sh", "-c", PROBE];
    const { status, stderr, error } = spawnSync("unshare", probe, { encoding: "utf8" });
    return status === 0 ? null : `namespaces or overlays are not to be had (${error?.message ?? stderr.trim()})`;
  }

  /** Throws where it is not up in time; nothing is left of it then. */
  static async start(): Promise<LiveSystemd> {
    const group = join(groupsFolder() ?? "", `cim-replay-test-${process.pid}`);
    const child = spawn("bash", [SCRIPT, REPOSITORY, group], { stdio: ["ignore", "pipe", "pipe"] });
    const systemd = new LiveSystemd(child, group);
    try {
      await until(
        () => {
          if (child.exitCode !== null) throw new Error(`systemd ended with ${child.exitCode}: ${systemd.#said}`);
          return systemd.#isUp();
        },
        () => `systemd to be up; it said: ${systemd.#said}`,
        STARTS_WITHIN_MS,
      );
      return systemd;
    } catch (error) {
      await systemd.stop();
      throw error;
    }
  }

  async #isUp(): Promise<boolean> {
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

  /** With all its processes: it is the first of theirs, and goes with the one that made its namespaces. */
  async stop(): Promise<void> {
    this.#process.kill("SIGKILL");
    // The last of them leave their groups a moment later.
    await until(() => removeGroups(this.#group), "its control groups to be empty");
  }

  get #leader(): number {
    const { pid } = this.#process;
    const path = `/proc/${pid}/task/${pid}/children`;
    return existsSync(path) ? Number(readFileSync(path, "utf8").trim().split(" ")[0]) : 0;
  }
}

function groupsFolder(): string | undefined {
  return /^\S+ (\S+) cgroup2 /m.exec(readFileSync("/proc/self/mounts", "utf8"))?.[1];
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
