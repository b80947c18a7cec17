import { readdirSync, readFileSync } from "node:fs";
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { UMBRELLA } from "./command.ts";
import { commandTable } from "./command-table.ts";
import { examples } from "./examples.ts";

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

describe("the examples in a command's help", () => {
  test("are there for every command, and for nothing else", () => {
    expect(Object.keys(examples).sort()).toEqual(commandTable.map(({ name }) => name).sort());
    for (const lines of Object.values(examples)) expect(lines.length).toBeGreaterThan(0);
  });

  test.each(commandTable.flatMap((entry) => (examples[entry.name] ?? []).map((line) => [line, entry] as const)))(
    "can be typed: %s",
    async (line, entry) => {
      const call = entry.bin === entry.name ? entry.name : `cim-replay ${entry.name}`;
      // As a shell hands it over: what it fills in is one word, and what follows a pipe is another's.
      const [, rest = ""] = line.replace(/\$\([^)]*\)/g, "X").split(call);
      const typed = rest.split(/[|)]/)[0] ?? "";
      expect(line).toContain(call);
      const { command } = await entry.load();
      const parser = new Command(entry.name).exitOverride().allowExcessArguments(false);
      parser.configureOutput({ outputError: () => undefined });
      command.configure(parser);
      const words = [...typed.matchAll(/"[^"]*"|\S+/g)].map(([word]) => word.replaceAll('"', ""));
      parser.parse(words, { from: "user" });
      for (const word of words.filter((each) => each.startsWith("--"))) {
        expect(
          parser.options.map(({ long }) => long),
          line,
        ).toContain(word);
      }
    },
  );
});
