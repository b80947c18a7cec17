import { readFile } from "node:fs/promises";

export interface ShellBlock {
  /** Of the document, 1 for its first. */
  readonly line: number;
  readonly heading: string;
  readonly script: string;
  /** What it is meant to end with: 1 where its fence says `sh exits-1`, else 0. */
  readonly status: number;
}

/** The fenced `sh` blocks of a Markdown document, in order. */
export async function shellBlocks(path: string): Promise<ShellBlock[]> {
  const blocks: ShellBlock[] = [];
  let heading = "";
  let open: { line: number; status: number; lines: string[] } | null = null;
  for (const [index, line] of (await readFile(path, "utf8")).split("\n").entries()) {
    if (open !== null && line === "```") {
      blocks.push({ line: open.line, heading, script: open.lines.join("\n"), status: open.status });
      open = null;
    } else if (open !== null) {
      open.lines.push(line);
    } else if (/^#+ /.test(line)) {
      heading = line.replace(/^#+ /, "");
    } else {
      const fence = /^```(?:sh|bash)(?: exits-(\d+))?$/.exec(line);
      if (fence) open = { line: index + 1, status: Number(fence[1] ?? 0), lines: [] };
    }
  }
  return blocks;
}
