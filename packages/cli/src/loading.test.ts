import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { runTool } from "./run-tool.fixture.ts";

/** Loaded before everything else: says which of these modules a process has loaded by its end. */
const WATCH = `
  import { registerHooks } from "node:module";
  const names = ["bullmq", "ioredis", "verifier", "archive", "zod"];
  const loaded = new Set();
  registerHooks({
    load(url, context, next) {
      for (const name of names) if (url.includes("/" + name + "/")) loaded.add(name);
      return next(url, context);
    },
  });
  process.on("exit", () => console.error("loaded: " + [...loaded].sort().join(" ")));
`;

async function loadedBy(tool: string): Promise<string[]> {
  const options = `--import data:text/javascript,${encodeURIComponent(WATCH)}`;
  const { stderr } = await runTool(tool, ["--help"], { cwd: tmpdir(), env: { NODE_OPTIONS: options } });
  return /^loaded: (.*)$/m.exec(stderr)?.[1]?.split(" ") ?? [];
}

test.each([
  ["domain-replay", ["zod"]],
  // It says where a restore of the entries was left unfinished.
  ["verify-domain", ["archive", "verifier", "zod"]],
  ["replay-status", ["zod"]],
  // It takes units from the queue, and that is all it does.
  ["cim-replay-worker", ["bullmq", "ioredis", "zod"]],
])("what %s does not need at once is not loaded at its start", async (tool, needed) => {
  expect(await loadedBy(tool)).toEqual(needed);
});
