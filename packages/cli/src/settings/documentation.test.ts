import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { keyOf, settingNames, settings } from "./definitions.ts";

const page = readFileSync(new URL("../../../../docs/configuration.md", import.meta.url), "utf8");

test.each(settingNames)("docs/configuration.md has a row for %s, with its default and variable", (name) => {
  const { flag, env, fallbackText } = settings[name];
  const row = page.split("\n").find((line) => line.startsWith(`| \`${keyOf(flag)}\` |`));
  expect(row).toContain(`| ${fallbackText} |`);
  expect(row).toContain(`\`${env}\``);
});
