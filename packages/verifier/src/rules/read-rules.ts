import type { z } from "zod";
import { compileRule, type PlacedMistake } from "./compile-rule.ts";
import type { Rule } from "./rule.ts";
import { ruleSchema, rulesFileSchema, type WrittenRule } from "./rules-schema.ts";
import type { YamlMistake, YamlSource } from "@cim-replay/filter";

/** The rules, and everything that is wrong: with the file's form and with its expressions at once. */
export function readRules(source: YamlSource): { rules: readonly Rule[]; mistakes: readonly YamlMistake[] } {
  const read = source.read();
  if (!("value" in read)) return { rules: [], mistakes: read };
  const { error, data } = rulesFileSchema.safeParse(read.value);
  const written = data?.rules ?? soundParts(read.value);
  const rules: Rule[] = [];
  const mistakes = repeatedNames(written);
  for (const [i, rule] of written.entries()) {
    if (rule === null) continue;
    const compiled = compileRule(rule);
    if ("condition" in compiled) rules.push(compiled);
    else mistakes.push(...compiled.map((mistake) => ({ ...mistake, path: ["rules", i, ...mistake.path] })));
  }
  return {
    rules,
    mistakes: [
      ...(error?.issues ?? []).flatMap((issue) => mistakesOf(issue, source)),
      ...mistakes.map(({ path, message, offset }) =>
        source.mistakeAt(path, `${String(path.at(-1))}: ${message}`, offset),
      ),
    ],
  };
}

/** Of a file whose form is wrong, what can be compiled all the same; null in place of rules that cannot. */
function soundParts(file: unknown): (WrittenRule | null)[] {
  const rules = typeof file === "object" && file !== null && "rules" in file ? file.rules : null;
  return Array.isArray(rules) ? rules.map(soundPart) : [];
}

/** A rule without those of its keys that are wrong; what must be there stands for nothing. */
function soundPart(rule: unknown, i: number): WrittenRule | null {
  if (typeof rule !== "object" || rule === null) return null;
  const issues = ruleSchema.safeParse(rule).error?.issues ?? [];
  const wrong = new Set(issues.flatMap((issue) => (issue.code === "unrecognized_keys" ? issue.keys : issue.path[0])));
  // What the expressions may name cannot be known then.
  if (wrong.has("scope") || wrong.has("collect")) return null;
  const sound = Object.entries(rule).filter(([key]) => !wrong.has(key));
  const filled = { name: `rule ${i}`, condition: "true", message: "-", ...Object.fromEntries(sound) };
  return ruleSchema.safeParse(filled).data ?? null;
}

function repeatedNames(rules: readonly (WrittenRule | null)[]): PlacedMistake[] {
  const names = new Set<string>();
  const mistakes: PlacedMistake[] = [];
  for (const [i, rule] of rules.entries()) {
    if (rule === null) continue;
    if (names.has(rule.name)) {
      mistakes.push({
        path: ["rules", i, "name"],
        message: `"${rule.name}" is the name of an earlier rule`,
        offset: 0,
      });
    }
    names.add(rule.name);
  }
  return mistakes;
}

function mistakesOf(issue: z.core.$ZodIssue, source: YamlSource): YamlMistake[] {
  const { path } = issue;
  const last = path.at(-1);
  const key = String(last ?? "");
  const where = last === undefined ? "" : `${typeof last === "number" ? `rule ${last + 1}` : key}: `;
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((unknown) => source.mistakeAtKey(path, unknown, `${unknown}: there is no such key here`));
    case "invalid_key":
      return [source.mistakeAtKey(path.slice(0, -1), key, where + (issue.issues[0]?.message ?? "no name"))];
    case "invalid_value":
      return [source.mistakeAt(path, `${where}not ${oneOf(issue.values)}`)];
    default:
      return [source.mistakeAt(path, where + issue.message.replace(/^Invalid input: /, ""))];
  }
}

function oneOf(values: readonly unknown[]): string {
  return values.length === 1 ? String(values[0]) : `one of ${values.map(String).join(", ")}`;
}
