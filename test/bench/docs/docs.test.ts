import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { COMMITTED_RESULTS } from "../options.ts";
import { readResults } from "../results.ts";
import { barChart } from "./bar-chart.ts";
import { renderDocs } from "./write-docs.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

test("both pages and their charts are what the command makes of docs/benchmarks.json", async () => {
  const files = await renderDocs(ROOT, await readResults(join(ROOT, COMMITTED_RESULTS)));
  expect([...files.keys()].filter((path) => path.endsWith(".svg")).length).toBeGreaterThanOrEqual(6);
  for (const [path, content] of files) {
    const found = await readFile(join(ROOT, path), "utf8").catch(() => "");
    expect(found === content, `${path} is old: npm run bench -- --from ${COMMITTED_RESULTS} --write-docs`).toBe(true);
  }
});

test("the pages show every chart that is made, and name no issue and no path of this machine", async () => {
  const files = await renderDocs(ROOT, await readResults(join(ROOT, COMMITTED_RESULTS)));
  const pages = [...files].filter(([path]) => path.endsWith(".md")).map(([, content]) => content);
  for (const path of files.keys()) {
    if (path.endsWith(".svg")) expect(pages.join(), path).toContain(path.replace("docs/", ""));
  }
  expect([...files.values()].join()).not.toMatch(/\/tmp\/|\/work\/|#\d+\b(?!;)(?<!#[0-9a-f]{6})/);
});

test("a bar is as long as its value, on a linear and on a logarithmic scale", () => {
  const widths = (scale: "linear" | "log") => {
    const rows = [1, 10, 100].map((value) => ({ label: `${value}`, parts: [{ value, series: 0 }] }));
    const svg = barChart({ title: "t", unit: "u", rows, scale });
    return [...svg.matchAll(/width="([\d.]+)" height="16"/g)].map(([, width]) => Number(width));
  };
  const [one = 0, ten = 0, hundred = 0] = widths("linear");
  expect([ten / one, hundred / ten].map(Math.round)).toEqual([10, 10]);
  const [first = 0, second = 0, third = 0] = widths("log");
  expect(second - first).toBeCloseTo(third - second, 0);
});

test("a chart stands on dark pages as well, and its words cannot break it", () => {
  const svg = barChart({ title: 'a < b & "c"', unit: "u", rows: [] });
  expect(svg).toContain("prefers-color-scheme: dark");
  expect(svg).toContain('aria-label="a &lt; b &amp; &quot;c&quot;"');
});
