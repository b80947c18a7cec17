import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commandTable } from "../command-table.ts";
import { runTool } from "../run-tool.fixture.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cim-replay-completion-"));
  for (const shell of ["bash", "zsh", "fish"]) {
    const { stdout, status } = await runTool("cim-replay", ["completion", shell], { cwd: folder, env: {} });
    expect(status).toBe(0);
    await writeFile(join(folder, shell), stdout);
  }
});
afterAll(() => rm(folder, { recursive: true }));

function has(shell: string): boolean {
  const found = spawnSync(shell, ["--version"]).status === 0;
  if (!found) console.info(`No ${shell} here: its completion is not tried.`);
  return found;
}

/** What a shell offers where `typed` stands before the cursor. */
type Offer = (typed: string) => string[];

const bash: Offer = (typed) => {
  const words = typed.split(" ");
  const script = `source ${folder}/bash; COMP_WORDS=(${words.map((word) => `"${word}"`).join(" ")}); COMP_CWORD=${words.length - 1}
    compopt() { printf 'FILES\\n'; }; _cim_replay; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return lines(execFileSync("bash", ["--norc", "-c", script], { encoding: "utf8" }));
};

const zsh: Offer = (typed) => {
  const words = typed.split(" ");
  const script = `compdef() { :; }; source ${folder}/zsh; words=(${words.map((word) => `"${word}"`).join(" ")}); CURRENT=${words.length}
    compadd() { shift; print -l -- "$@"; }; _files() { print FILES; }; _cim_replay`;
  const offered = lines(execFileSync("zsh", ["-f", "-c", script], { encoding: "utf8" }));
  // The shell itself leaves out what does not begin with what is typed.
  return offered.filter((word) => word === "FILES" || word.startsWith(words.at(-1) ?? ""));
};

const fish: Offer = (typed) => {
  const script = `source ${folder}/fish; complete -C '${typed}'`;
  const offered = execFileSync("fish", ["--no-config", "-c", script], { encoding: "utf8", cwd: folder });
  return lines(offered).map((line) => line.split("\t")[0] ?? "");
};

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

describe.each([
  ["bash", bash],
  ["zsh", zsh],
  ["fish", fish],
])("the completion of %s", (shell, offer) => {
  const isThere = has(shell);

  test.runIf(isThere)("knows every command, its flags and their values, also as a tool of its own", () => {
    expect(offer("cim-replay ").sort()).toEqual(commandTable.map(({ name }) => name).sort());
    expect(offer("cim-replay doc")).toEqual(["doctor"]);
    expect(offer("domain-replay --certify co").sort()).toEqual(["content", "counts"]);
    expect(offer("cim-replay domain-replay --certify co").sort()).toEqual(["content", "counts"]);
    expect(offer("quarantine re")).toContain("retry");
    expect(offer("cim-replay-worker --conc")).toEqual(["--concurrency"]);
    expect(offer("tune-replay --max").sort()).toEqual(["--max-bytes-rate", "--max-rate"]);
    expect(offer("state-at --run")).toEqual([]);
  });

  test.runIf(isThere)("offers files where a file is wanted, and no words where a number is", () => {
    const files = offer("backup-events --output ");
    expect(files).toEqual(shell === "fish" ? expect.arrayContaining(["bash", "fish", "zsh"]) : ["FILES"]);
    expect(offer("domain-replay --units ")).toEqual([]);
  });
});

test("another shell is refused", async () => {
  const refused = await runTool("cim-replay", ["completion", "tcsh"], { cwd: folder, env: {} });
  expect(refused).toMatchObject({ status: 2, stdout: "" });
  expect(refused.stderr).toContain("bash, zsh, fish");
});
