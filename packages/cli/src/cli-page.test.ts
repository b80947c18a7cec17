import { expect, test } from "vitest";
import { buildProgram } from "./build-program.ts";
import { UMBRELLA } from "./command.ts";
import { commandTable } from "./command-table.ts";
import { createScreen } from "./output/screen.ts";

const WIDTH = 110;
const INTRODUCTION = `# Every command

What \`--help\` says of each. Commands without a tool of their own are called as \`${UMBRELLA} NAME\`; the others by their name, or
as \`${UMBRELLA} NAME\` too. This page is made from the commands themselves and held against them by a test; after a change,
\`npx vitest run packages/cli/src/cli-page.test.ts -u\` writes it anew.
`;

/** The parser that the tool itself has, without a home folder or a terminal of whoever makes the page. */
async function helpOf(tool: string, title: string): Promise<string> {
  const screen = await createScreen(process.stderr, {});
  const exitNow = () => {
    throw new Error("nothing is run here");
  };
  const command = await buildProgram(tool, "VERSION", { print: () => undefined, screen, exitNow }, { status: 0 });
  let text = "";
  command.name(title).configureOutput({
    writeOut: (words) => {
      text += words;
    },
    getOutHelpWidth: () => WIDTH,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return text.trimEnd();
}

test("docs/cli.md says of every command what its --help says", async () => {
  const sections: string[] = [];
  for (const { name, bin, summary } of commandTable) {
    const title = bin ?? `${UMBRELLA} ${name}`;
    sections.push(`## ${title}\n\n\`\`\`\n${await helpOf(bin ?? name, title)}\n\`\`\`\n`);
    expect(summary).not.toBe("");
  }
  await expect([INTRODUCTION, ...sections].join("\n")).toMatchFileSnapshot("../../../docs/cli.md");
});
