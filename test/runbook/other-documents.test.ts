import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { prepare } from "./data.ts";
import { blockBeginning, shellBlocks } from "./doc-blocks.ts";
import { type DocumentPlay, documentPlays } from "./document-plays.ts";
import { Sandbox } from "./sandbox.ts";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const OWN_TEST = "docs/runbook.md";

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await Sandbox.open();
  await prepare(sandbox);
  sandbox.substitute("nats://127.0.0.1:4222", sandbox.env.NATS_URL ?? "");
  sandbox.substitute("redis://127.0.0.1:6379", sandbox.env.REDIS_URL ?? "");
  const { output: id } = await sandbox.run("echo <AGGREGATE_ID>");
  sandbox.substitute("--aggregate-id ID", `--aggregate-id ${id.trim()}`);
});
afterAll(() => sandbox?.close());

it("knows every document that shows commands to a shell", () => {
  const pages = readdirSync(join(PROJECT, "docs")).filter((name) => name.endsWith(".md"));
  const files = ["README.md", "CONTRIBUTING.md", ...pages.map((name) => `docs/${name}`)];
  const withCommands = files.filter((file) => file !== OWN_TEST && shellBlocks(join(PROJECT, file)).length > 0);
  expect(documentPlays.map(({ file }) => file).sort()).toEqual(withCommands.sort());
});

describe.each(documentPlays)("$file", (play) => {
  const blocks = shellBlocks(join(PROJECT, play.file)).map((block) => ({
    ...block,
    script: leaveOut(block.script, play),
  }));
  const toRun = blocks.filter(({ script }) => script !== "");

  it("has what is left out of it", () => {
    const lines = shellBlocks(join(PROJECT, play.file)).flatMap(({ script }) => script.split("\n"));
    const stale = Object.keys(play.leftOut ?? {}).filter((words) => !lines.some((line) => line.startsWith(words)));
    expect(stale).toEqual([]);
  });

  if (toRun.length === 0) return;

  beforeAll(async () => {
    for (const [name, words] of Object.entries(play.files ?? {})) {
      writeFileSync(join(sandbox.folder, name), blockBeginning(join(PROJECT, play.file), words));
    }
    for (const [from, to] of Object.entries(play.places ?? {})) sandbox.substitute(from, to);
    const made = await sandbox.run(play.before ?? "true");
    expect(made.status, made.output).toBe(0);
  });

  it.each(toRun)(
    "runs: $name",
    async ({ script }) => {
      const { status, output } = await sandbox.run(script);
      expect(status, `${script}\n${output}`).toBe(0);
    },
    180_000,
  );
});

/** The rest of a block; nothing where nothing but comments is left. */
function leaveOut(script: string, { leftOut = {} }: DocumentPlay): string {
  const words = Object.keys(leftOut);
  const lines = script.split("\n").filter((line) => !words.some((word) => line.startsWith(word)));
  return lines.every((line) => line === "" || line.startsWith("#")) ? "" : `${lines.join("\n")}\n`;
}
