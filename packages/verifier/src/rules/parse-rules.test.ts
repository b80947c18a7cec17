import { UsageError } from "@cim-replay/core";
import { describe, expect, it } from "vitest";
import { parseRules } from "./parse-rules.ts";
import { ruleSet, ruleText } from "./rules.fixture.ts";

function mistakesOf(text: string): string[] {
  try {
    parseRules(text, "rules.yaml");
  } catch (error) {
    if (error instanceof UsageError) return error.message.split("\n");
    throw error;
  }
  return [];
}

describe("a file of rules", () => {
  it("fills in what need not be said", () => {
    const { rules, source, sha256 } = ruleSet({ condition: "entry.n > 1" });
    expect(rules).toMatchObject([{ name: "r", scope: "entry", severity: "error", description: null, when: null }]);
    expect(source).toBe("rules.yaml");
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each([
    ["true", "m", "nothing"],
    ["quarantined == 0", "{{ quarantined }} events are there", "nothing"],
    ["events.total > 1", "of {{ events . total }} events", "total"],
    ["true", "{{ events.by_type.A }}", "types"],
    ["size(events['types']) > 1", "m", "types"],
  ])("with %s and %s asks the stream for %s", (condition, message, asked) => {
    expect(ruleSet({ scope: "counts", condition, message }).rules[0]?.eventsAsked).toBe(asked);
  });

  it("is told all its mistakes at once, each where it stands", () => {
    const text = `version: 2
rulez: 3
rules:
  - name: a
    severity: fatal
    condition: entry.x ==
    message: "{{ idd }} and {{ x"
  - name: b
    scope: domain
    collect:
      Bad: { sum: entry.n }
      ok: { sum: entry.n, max: entry.x }
    condition: "true"
    message: hi
  - name: b
    condition: >-
      entry.a == 1 &&
      1 + 'x'
    conditionn: 3
  - condition: true
    message: ""
  - 7
`;
    expect(mistakesOf(text)).toEqual([
      "Cannot use the rules: there are 15 mistakes. See docs/rules.md.",
      "rules.yaml:1:10 version: not 1.",
      "rules.yaml:2:1 rulez: there is no such key here.",
      "rules.yaml:5:15 severity: not one of error, warning, info.",
      "rules.yaml:6:26 condition: Unexpected token: EOF.",
      "rules.yaml:7:18 message: Unknown variable: idd.",
      "rules.yaml:7:29 message: {{ is not closed by }}.",
      "rules.yaml:11:7 Bad: a name has small letters, digits and _, a letter first.",
      "rules.yaml:12:11 ok: needs one of count, sum, min, max.",
      "rules.yaml:15:5 message: missing.",
      "rules.yaml:18:7 condition: no such overload: int + string.",
      "rules.yaml:19:5 conditionn: there is no such key here.",
      "rules.yaml:20:5 name: missing.",
      "rules.yaml:20:16 condition: not a text: put the expression in quotes.",
      "rules.yaml:21:14 message: empty.",
      "rules.yaml:22:5 rule 5: expected object, received number.",
    ]);
  });

  it.each([
    ["plain", "condition: entry.a && foo", "4:27"],
    ["in single quotes", "condition: 'entry.a && foo'", "4:28"],
    ["in double quotes", 'condition: "entry.a && foo"', "4:28"],
    ["plain over two lines", "condition: entry.a &&\n      foo", "5:7"],
    ["a literal block", "condition: |\n      entry.a &&\n        (entry.b || foo)", "6:21"],
    ["a folded block", "condition: >-\n      entry.a &&\n      entry.b || foo", "6:18"],
    ["a folded block with an empty line", "condition: >-\n      entry.a &&\n\n      foo", "7:7"],
    ["an alias", "message: m\n    when: &w foo\n    condition: *w", "5:14"],
  ])("places a mistake in an expression that is %s", (_, lines, place) => {
    const rest = lines.startsWith("message") ? "" : "    message: m\n";
    const [first] = mistakesOf(`version: 1\nrules:\n  - name: a\n    ${lines}\n${rest}`).slice(-2);
    expect(first).toMatch(new RegExp(`${place} \\w+: Unknown variable: foo`));
  });

  it.each([
    ["no YAML", "a: [1", /rules\.yaml:1:6 Flow sequence/],
    ["a tag that is none", "version: 1\nrules: !!js/function x", /rules\.yaml:2:8 Unresolved tag/],
    ["a key that comes twice", "version: 1\nversion: 1\nrules: []", /rules\.yaml:2:1 Map keys must be unique/],
    ["no rules", "version: 1\nrules: []", /2:8 rules: no rules/],
    ["nothing", "", /expected object/],
    ["a bomb of aliases", `a: &a [1]\nb: [${"*a,".repeat(60)}]`, /alias/],
    ["too many rules", `version: 1\nrules: [${"{},".repeat(201)}]`, /more than 200 rules/],
    ["too large", `# ${"x".repeat(300_000)}`, /larger than 256/],
    [
      "a condition that is none",
      `version: 1\nrules: [${ruleText({ condition: "size(entry.nodes)" })}]`,
      /gives int, not true/,
    ],
    ["a name of another scope", `version: 1\nrules: [${ruleText({ condition: "entries > 1" })}]`, /Unknown variable/],
    [
      "an event count that is none",
      `version: 1\nrules: [${ruleText({ scope: "counts", condition: "events.totl > 1" })}]`,
      /No such key: totl/,
    ],
    [
      "an expression nested too deeply",
      `version: 1\nrules: [${ruleText({ condition: `${"(".repeat(60)}true${")".repeat(60)}` })}]`,
      /maxDepth/,
    ],
    [
      "an expression that is too long",
      `version: 1\nrules: [${ruleText({ condition: `id == '${"x".repeat(2_000)}'` })}]`,
      /longer than 2000/,
    ],
  ])("is refused where it is %s", (_, text, message) => {
    expect(mistakesOf(text).join("\n")).toMatch(message);
  });

  it.each([
    ["entries", "this name has a meaning already"],
    ["if", "this is a word of CEL's"],
  ])("cannot collect under the name %s", (name, message) => {
    const rule = ruleText({ scope: "domain", collect: { [name]: { count: "true" } } });
    expect(mistakesOf(`version: 1\nrules: [${rule}]`).join()).toContain(message);
  });

  it("collects nothing in a rule over each entry", () => {
    const rule = ruleText({ collect: { n: { count: "true" } } });
    expect(mistakesOf(`version: 1\nrules: [${rule}]`).join()).toContain("collects nothing");
  });
});
