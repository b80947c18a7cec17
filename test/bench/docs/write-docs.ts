import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { COMMITTED_RESULTS } from "../options.ts";
import { type Results, readResults, writeResults } from "../results.ts";
import { blocksOf } from "./blocks.ts";
import { chartFiles } from "./charts.ts";

const PAGES = ["docs/benchmarks.md", "docs/scaling.md"];
const BLOCK = /(<!-- bench:([\w-]+) -->\n)[\s\S]*?(<!-- \/bench -->)/g;

/** By path in the project, both pages and their charts as they follow from the readings; what people wrote stays. */
export async function renderDocs(root: string, results: Results): Promise<ReadonlyMap<string, string>> {
  const blocks = blocksOf(results);
  const files = new Map(chartFiles(results));
  for (const page of PAGES) files.set(page, withBlocks(page, await readFile(join(root, page), "utf8"), blocks));
  return files;
}

/** Also keeps the readings, so that the pages can be made again. */
export async function writeDocs(root: string, results: Results): Promise<void> {
  const kept = join(root, COMMITTED_RESULTS);
  await writeResults(kept, results);
  // As they are kept: figures are rounded there.
  const files = await renderDocs(root, await readResults(kept));
  for (const [path, content] of files) await writeFile(join(root, path), content);
  console.error(`Written: ${[COMMITTED_RESULTS, ...files.keys()].join(", ")}`);
}

/** Puts each block between its two marks. Throws on a mark that nothing is known of. */
function withBlocks(page: string, text: string, blocks: ReadonlyMap<string, string>): string {
  return text.replace(BLOCK, (_, begin: string, name: string, end: string) => {
    const block = blocks.get(name);
    if (block === undefined) throw new Error(`Cannot write ${page}: there is no block "${name}". See test/bench/docs.`);
    return `${begin}${block}\n${end}`;
  });
}
