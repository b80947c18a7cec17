import { readdirSync, readFileSync } from "node:fs";
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { UMBRELLA } from "./command.ts";
import { commandTable } from "./command-table.ts";

const packageUrl = new URL("../", import.meta.url);
const bins: Record<string, string> = JSON.parse(readFileSync(new URL("package.json", packageUrl), "utf8")).bin;
const tools = [UMBRELLA, ...commandTable.flatMap(({ bin }) => (bin === null ? [] : [bin]))].sort();

describe("the table of commands", () => {
  test("names the same tools as package.json", () => {
    expect(Object.keys(bins).sort()).toEqual(tools);
  });

  test("names the same tools as the files in bin/, each of which passes its own name", () => {
    const files = readdirSync(new URL("bin/", packageUrl)).sort();
    expect(files).toEqual(tools.map((tool) => `${tool}.js`).sort());
    for (const tool of tools) {
      expect(bins[tool]).toBe(`./bin/${tool}.js`);
      expect(readFileSync(new URL(`bin/${tool}.js`, packageUrl), "utf8")).toContain(`main("${tool}")`);
    }
  });

  test.each(commandTable.map((entry) => [entry.name, entry] as const))(
    "loads %s, which can be configured",
    async (_, entry) => {
      const { command } = await entry.load();
      const parser = new Command(entry.name);
      command.configure(parser);
      expect(parser.options.length + parser.registeredArguments.length).toBeGreaterThan(0);
    },
  );
});
