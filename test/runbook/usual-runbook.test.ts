import { commandTable } from "@cim-replay/cli";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pendingCommands, pendingFlags, usualRunbook } from "./commands.ts";
import { prepare } from "./data.ts";
import { RunAtWork } from "./run-at-work.ts";
import { Sandbox } from "./sandbox.ts";

let sandbox: Sandbox;
let atWork: RunAtWork | null = null;

beforeAll(async () => {
  sandbox = await Sandbox.open();
  await prepare(sandbox);
});
afterAll(async () => {
  await atWork?.interrupt();
  await sandbox?.close();
});

describe("the usual runbook, as written,", () => {
  it.each(usualRunbook)(
    "works: $title",
    async ({ before, script, exits = 0, isWhileARunIsAtWork = false }) => {
      if (isWhileARunIsAtWork) atWork ??= await RunAtWork.start(sandbox, "graph");
      else if (atWork) {
        const replay = atWork;
        atWork = null;
        expect(await replay.interrupt()).toBe(130);
      }
      if (before !== undefined) {
        const prepared = await sandbox.run(before);
        expect(prepared.status, prepared.output).toBe(0);
      }
      const { status, output } = await sandbox.run(script);
      expect(status, output).toBe(exits);
    },
    180_000,
  );

  it.each(pendingCommands)("has a command that is not there: $tool", ({ tool }) => {
    expect(commandTable.map(({ name }) => name)).not.toContain(tool);
  });

  it.each(pendingFlags)("has a flag that is not there: $tool $flag", async ({ tool, flag }) => {
    const { status, output } = await sandbox.run(`${tool} --help`);
    expect(status, output).toBe(0);
    expect(output).not.toContain(flag);
  });
});
