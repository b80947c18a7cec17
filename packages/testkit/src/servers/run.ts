import { execFile } from "node:child_process";
import { promisify } from "node:util";

const exec = promisify(execFile);

/** Runs a program to its end and gives what it wrote to stdout. Throws with its stderr where it fails or takes minutes. */
export async function run(command: string, args: readonly string[], cwd?: string): Promise<string> {
  const { stdout } = await exec(command, args, { cwd, timeout: 300_000, maxBuffer: 16 << 20 });
  return stdout;
}
