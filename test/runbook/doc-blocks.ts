import { readFileSync } from "node:fs";

export interface Block {
  /** File and line, for a failing test's name. */
  readonly name: string;
  readonly script: string;
}

/** The fenced shell blocks of a document, in their order. Indented fences, as lists have them, lose their indentation. */
export function shellBlocks(file: string): Block[] {
  const lines = readFileSync(file, "utf8").split("\n");
  const blocks: Block[] = [];
  let open: { at: number; indent: number; script: string[] } | null = null;
  lines.forEach((line, at) => {
    if (open === null) {
      const fence = /^(\s*)```(?:sh|bash)$/.exec(line);
      if (fence) open = { at: at + 2, indent: fence[1]?.length ?? 0, script: [] };
    } else if (line.trim() === "```") {
      blocks.push({ name: `line ${open.at}`, script: open.script.join("\n") });
      open = null;
    } else {
      open.script.push(line.slice(open.indent));
    }
  });
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
