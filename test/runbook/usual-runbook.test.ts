import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { usualRunbook } from "./commands.ts";
import { prepare } from "./data.ts";
import { RunAtWork } from "./run-at-work.ts";
import { Sandbox } from "./sandbox.ts";

let sandbox: Sandbox;
let atWork: RunAtWork | null = null;

beforeAll(async () => {
  sandbox = await Sandbox.open();
  await prepare(sandbox);
  // A minute of it shows no more than three seconds do.
  sandbox.substitute("--duration 60", "--duration 3");
});
afterAll(async () => {
  await atWork?.interrupt();
  await sandbox?.close();
});

describe("the usual runbook, as written,", () => {
  it.each(usualRunbook)(
    "works: $title",
    async ({ before, script, prints, exits = 0, isWhileARunIsAtWork = false }) => {
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
      for (const words of prints) expect(output).toMatch(words);
    },
    180_000,
  );
});
