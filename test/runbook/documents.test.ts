import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DAY_OF_EVENTS, prepare } from "./data.ts";
import { type Block, shellBlocks } from "./doc-blocks.ts";
import { runbookPrints } from "./expected-output.ts";
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
  sandbox.substitute("2026-01-31", DAY_OF_EVENTS);
});
afterAll(async () => {
  await atWork?.interrupt();
  await sandbox?.close();
});

describe("docs/runbook.md", () => {
  it("has all its blocks found, and what each is to print", () => {
    const counts = Object.entries(runbookPrints).map(([heading, prints]) => [heading, prints.length]);
    expect(counts).toEqual([...Map.groupBy(blocks, ({ heading }) => heading)].map(([h, each]) => [h, each.length]));
  });

  it.each(blocks)(
    "runs: $name",
    async (block) => {
      const { script } = block;
      if (script.startsWith(AT_WORK)) atWork ??= await RunAtWork.start(sandbox, "graph");
      else if (atWork) {
        const replay = atWork;
        atWork = null;
        expect(await replay.interrupt()).toBe(130);
      }
      const { status, output } = await sandbox.run(script);
      expect(status, `${script}\n${output}`).toBe(0);
      for (const words of due(block)) expect(output).toMatch(words);
    },
    180_000,
  );
});

/** What this block must print: blocks under one heading are told apart by their order. */
function due({ heading, name }: Block): readonly RegExp[] {
  const at = blocks.filter((each) => each.heading === heading).findIndex((each) => each.name === name);
  return runbookPrints[heading]?.[at] ?? [];
}
