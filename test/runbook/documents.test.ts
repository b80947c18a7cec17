import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { prepare } from "./data.ts";
import { shellBlocks } from "./doc-blocks.ts";
import { RunAtWork } from "./run-at-work.ts";
import { Sandbox } from "./sandbox.ts";

const RUNBOOK = fileURLToPath(new URL("../../docs/runbook.md", import.meta.url));
const AT_WORK = "# while a run is at work";
const blocks = shellBlocks(RUNBOOK);

let sandbox: Sandbox;
let atWork: RunAtWork | null = null;

beforeAll(async () => {
  sandbox = await Sandbox.open();
  await prepare(sandbox);
  // Within the time that the sample events are of.
  sandbox.substitute("2026-01-31", "2025-02-05");
});
afterAll(async () => {
  await atWork?.interrupt();
  await sandbox?.close();
});

describe("docs/runbook.md", () => {
  it("has its blocks found", () => {
    expect(blocks.length).toBeGreaterThan(12);
  });

  it.each(blocks)(
    "runs: $name",
    async ({ script }) => {
      if (script.startsWith(AT_WORK)) atWork ??= await RunAtWork.start(sandbox, "graph");
      else if (atWork) {
        const replay = atWork;
        atWork = null;
        expect(await replay.interrupt()).toBe(130);
      }
      const { status, output } = await sandbox.run(script);
      expect(status, `${script}\n${output}`).toBe(0);
    },
    180_000,
  );
});
