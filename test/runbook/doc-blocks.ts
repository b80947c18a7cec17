import { readFileSync } from "node:fs";

export interface Block {
  /** Heading and line, for a failing test's name. */
  readonly name: string;
  /** The nearest heading above it. */
  readonly heading: string;
  readonly script: string;
}

/** The fenced shell blocks of a document, in their order. */
export function shellBlocks(file: string): Block[] {
  return fencedBlocks(file)
    .filter(({ language }) => language === "sh" || language === "bash")
    .map(({ line, heading, lines }) => ({ name: `${heading}, line ${line}`, heading, script: lines.join("\n") }));
}

/** A document's block that begins with these words, as a file of its own. Throws where there is none. */
export function blockBeginning(file: string, words: string): string {
  const found = fencedBlocks(file).find(({ lines }) => lines[0]?.startsWith(words));
  if (!found) throw new Error(`${file} has no block that begins with ${words}`);
  return `${found.lines.join("\n")}\n`;
}

interface FencedBlock {
  readonly line: number;
  readonly heading: string;
  readonly language: string;
  readonly lines: string[];
}

/** Indented fences, as lists have them, lose their indentation. */
function fencedBlocks(file: string): FencedBlock[] {
  const blocks: FencedBlock[] = [];
  let open: (FencedBlock & { readonly indent: number }) | null = null;
  let heading = "";
  for (const [at, line] of readFileSync(file, "utf8").split("\n").entries()) {
    if (open !== null) {
      if (line.trim() === "```") {
        blocks.push(open);
        open = null;
      } else open.lines.push(line.slice(open.indent));
      continue;
    }
    heading = /^#+ (.*)$/.exec(line)?.[1] ?? heading;
    const fence = /^(\s*)```(\w*)$/.exec(line);
    if (fence) open = { line: at + 2, heading, language: fence[2] ?? "", lines: [], indent: fence[1]?.length ?? 0 };
  }
  return blocks;
}

/** `command  # exits 1`: that very status is due, and the script goes on. */
export function withDeclaredStatuses(script: string): string {
  return script.replace(/^(.*\S)\s+# exits (\d+)\b.*$/gm, (_, command: string, status: string) =>
    status === "0"
      ? command
      : `set +e; ${command}; is=$?; set -e; [ $is -eq ${status} ] || { echo "exits with $is" >&2; exit 99; }`,
  );
}
