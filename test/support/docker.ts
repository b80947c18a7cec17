import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const runFile = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));

/** Why containers cannot be tried on this machine; null where they can. */
export function whyNoEngine(): string | null {
  try {
    execFileSync("docker", ["info", "--format", "{{.ServerVersion}}"], { stdio: "pipe", timeout: 20_000 });
  } catch {
    return "no Docker engine can be reached (Debian: apt-get install docker.io, then dockerd)";
  }
  try {
    execFileSync("docker", ["compose", "version"], { stdio: "pipe", timeout: 20_000 });
  } catch {
    return "docker has no `compose` (Debian trixie or newer: apt-get install docker-compose)";
  }
  return null;
}

/** What a program says on standard output; throws with all that it said where it fails. */
export async function say(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { stdout } = await runFile(program, args, { cwd: root, env: { ...process.env, ...env }, maxBuffer: 1 << 26 });
  return stdout.trim();
}

export interface StartedTool {
  readonly exited: Promise<number | null>;
  /** All that it said so far, for a failing test's message. */
  said(): string;
}

/** One project of docker-compose.yml, as a user's shell works with it. */
export class ComposeProject {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  readonly #started: ChildProcess[] = [];

  constructor(name: string, env: Readonly<Record<string, string>>) {
    this.name = name;
    this.env = env;
  }

  compose(...args: string[]): Promise<string> {
    return say("docker", ["compose", "--project-name", this.name, ...args], this.env);
  }

  /** `docker compose run --rm coordinator …`: what it prints. */
  tool(...args: string[]): Promise<string> {
    return this.compose("run", "--rm", "coordinator", ...args);
  }

  /** As `tool`, without waiting, and found by Prometheus. */
  startTool(...args: string[]): StartedTool {
    const words = ["compose", "--project-name", this.name, "run", "--rm", "--use-aliases", "coordinator", ...args];
    const env = { ...process.env, ...this.env };
    const child = spawn("docker", words, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    this.#started.push(child);
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text) => {
        said += text;
      });
    }
    const exited = new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    return { exited, said: () => said };
  }

  /** What there is of the project: `docker ps --all`, `docker volume ls` and so on, one word each. */
  async left(...listing: string[]): Promise<string[]> {
    const filter = ["--quiet", "--filter", `label=com.docker.compose.project=${this.name}`];
    return (await say("docker", [...listing, ...filter])).split("\n").filter(Boolean);
  }

  /** Ends and removes all of it, whatever state it is in. */
  async remove(): Promise<void> {
    for (const child of this.#started) child.kill("SIGKILL");
    const containers = await this.left("ps", "--all");
    if (containers.length > 0) await say("docker", ["rm", "--force", "--volumes", ...containers]);
    await this.compose("down", "--volumes", "--timeout", "0");
  }
}
