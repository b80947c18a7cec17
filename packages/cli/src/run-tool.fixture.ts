import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface ToolResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Loading the sources takes longer than most commands: what is compiled is kept for the next one. */
const COMPILED = join(tmpdir(), "cim-replay-compiled-sources");

const mainUrl = new URL("./main.ts", import.meta.url).href;

/** A tool as a process of its own, from the sources, with nothing of this process's environment but the PATH. */
export function runTool(
  tool: string,
  args: readonly string[],
  where: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<ToolResult> {
  const script = `import { main } from "${mainUrl}"; await main("${tool}")`;
  const flags = ["--conditions=source", "--input-type=module", "--eval", script, "--", tool, ...args];
  const { PATH = "" } = process.env;
  const child = spawn(process.execPath, flags, {
    cwd: where.cwd,
    // What runs keep first stays beside the test.
    env: { PATH, NODE_COMPILE_CACHE: COMPILED, CIM_REPLAY_BACKUP_DIR: join(where.cwd, "backups"), ...where.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  return new Promise((resolve) => child.on("close", (status) => resolve({ status, ...output })));
}
