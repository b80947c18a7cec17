import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { runTool as runAnyTool, type ToolResult } from "./run-tool.fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "cim-replay-main-"));
const unreachable = { NATS_URL: "nats://me:secret@127.0.0.1:1", REDIS_URL: "redis://127.0.0.1:1" };

function runTool(tool: string, args: readonly string[], env: Record<string, string> = {}): Promise<ToolResult> {
  return runAnyTool(tool, args, { cwd: folder, env });
}

function expectError({ stdout, stderr }: ToolResult): void {
  expect(stdout).toBe("");
  expect(stderr.trimEnd().split("\n").length).toBeLessThan(5);
  expect(stderr).toMatch(/^Cannot /);
  expect(stderr).not.toMatch(/\n\s+at /);
}

describe("a tool", () => {
  test("shows its help on stdout and exits with 0", async () => {
    const result = await runTool("event-replay", ["--help"]);
    expect(result).toMatchObject({ status: 0, stderr: "" });
    expect(result.stdout).toContain("--checkpoint-interval <events>");
  });

  test("shows its version and what it was built from", async () => {
    const { status, stdout } = await runTool("event-replay", ["--version"], { CIM_REPLAY_BUILD: "image-7" });
    expect([status, stdout]).toEqual([
      0,
      expect.stringMatching(/^\d+\.\d+\.\d+ \(build image-7, Node 24\.\d+\.\d+\)\n$/),
    ]);
    const isCheckout = existsSync(new URL("../../../.git/HEAD", import.meta.url));
    const build = isCheckout ? /\(build [0-9a-f]{12}, / : /\(build unknown, /;
    expect((await runTool("cim-replay", ["--version"])).stdout).toMatch(build);
  });

  test("is the same as a subcommand", async () => {
    const [own, sub] = await Promise.all([
      runTool("replay-list", ["--help"]),
      runTool("cim-replay", ["replay-list", "--help"]),
    ]);
    const flags = (text: string) =>
      text.split("\n").filter((line) => /^ +--/.test(line) && !line.includes("--version"));
    expect(flags(sub.stdout)).toEqual(flags(own.stdout));
    expect(flags(sub.stdout).length).toBeGreaterThan(3);
  });

  test.each([
    ["event-replay", ["--paralel", "3"], "(Did you mean --parallel?)"],
    ["event-replay", ["--parallel", "none"], '--parallel: "none" is not a whole number from 1 on'],
    ["event-replay", ["superfluous"], "too many arguments"],
    ["event-replay", ["--resume", "--from-seq", "1"], "--resume goes on with what the run has pinned"],
    ["domain-replay", [], "no domain is named"],
    ["cim-replay", ["evnt-replay"], "(Did you mean event-replay?)"],
    ["cim-replay", ["servers", "sideways"], "Allowed choices are up, status, down"],
    ["cim-replay-worker", ["--log-file", "none/worker.log"], "there is no folder"],
    ["clear-projections", ["--domain", "graph"], "Give --yes"],
  ])("exits with 2 where %s %j cannot be", async (tool, args, message) => {
    const result = await runTool(tool, args, unreachable);
    expect(result.status).toBe(2);
    expectError(result);
    expect(result.stderr).toContain(message);
  });

  test("exits with 2 where a settings file is wrong, and names the line", async () => {
    const file = join(folder, "wrong.yaml");
    writeFileSync(file, "prefetch: 1\nbatchsize: 3\n");
    const result = await runTool("replay-list", ["--config", file]);
    expect(result.status).toBe(2);
    expectError(result);
    expect(result.stderr).toContain("wrong.yaml:2 batchsize: no such setting (did you mean batch-size?)");
  });

  test.each([
    "event-replay",
    "replay-status",
    "replay-progress",
    "replay-list",
    "generate-events",
    "cim-replay-worker",
  ])("exits with 3 where %s cannot reach NATS, and keeps the password to itself", async (tool) => {
    const result = await runTool(tool, [], unreachable);
    expect(result.status).toBe(3);
    expectError(result);
    expect(result.stderr).toContain("127.0.0.1:1");
    expect(result.stderr).not.toContain("secret");
  });
});

describe("an error", () => {
  let debugged: ToolResult;
  beforeAll(async () => {
    debugged = await runTool("replay-list", ["--log-level", "debug"], unreachable);
  });

  test("has a stack trace with --log-level debug, and still no password", () => {
    expect(debugged.status).toBe(3);
    expect(debugged.stderr).toMatch(/\n\s+at /);
    expect(debugged.stderr).not.toContain("secret");
  });
});
