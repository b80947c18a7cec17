import { describe, expect, it } from "vitest";
import type { CelContext } from "@cim-replay/filter";
import { CollectStep } from "./collect-step.ts";
import type { Rule } from "./rule.ts";
import { entry, judged, ruleSet, stopHere } from "./rules.fixture.ts";
import { TimeGuard } from "./time-guard.ts";

/** Whether a condition holds for one value. */
function holds(condition: string, value: unknown = {}, events: number | null = 1): boolean | string {
  const [, result] = judged(ruleSet({ condition }), [entry("a", value, events)]);
  return result?.notEvaluated === 0 ? result.failed === 0 : (result?.examples[0]?.message ?? "");
}

describe("a rule over each entry", () => {
  it.each([
    ["entry.node_count == size(entry.nodes)", { node_count: 2, nodes: { a: {}, b: {} } }],
    ["entry.x > 1.5 && entry.y > 1.5 && entry.y == 2.0", { x: 1.75, y: 2 }],
    ["entry.x * 2 == 3 && entry.y * 1.5 == 3 && 1 + entry.x == 2.5", { x: 1.5, y: 2 }],
    ["entry.n / 2 == 3 && entry.big > 9007199254740991", { n: 7, big: 1e17 }],
    ["entry.list.exists(i, i == 2) && 2.5 in entry.list", { list: [1, 2, 2.5] }],
    ["entry.nothing == null && !has(entry.missing) && entry.?missing.orValue(7) == 7", { nothing: null }],
    ["'__proto__' in entry && entry['constructor'] == 1 && size(entry) == 2", '{"__proto__":{"a":1},"constructor":1}'],
    ["id == 'ü.x' && key == 'shop.=C3=BC=2Ex'", {}],
    ["events == 4 && last_seq == 40", {}],
    ["timestamp(entry.at) < timestamp('2026-01-01T00:00:00Z')", { at: "2025-12-31T23:59:59+00:00" }],
  ])("finds that %s", (condition, value) => {
    const [, result] = judged(ruleSet({ condition }), [entry("ü.x", value, 4)]);
    expect(result).toMatchObject({ checked: 1, failed: 0, examples: [] });
  });

  it("knows of no events where the entry was not written by a replay", () => {
    expect(holds("events == null && last_seq == null", {}, null)).toBe(true);
  });

  it("has not passed where it cannot be evaluated, and says why", () => {
    expect(holds("entry.missing == 1")).toBe("cannot be evaluated: No such key: missing");
    expect(holds("entry.n", { n: 2 })).toBe("cannot be evaluated: condition gave 2, not true or false");
    expect(holds("entry.s > 1", { s: "x" })).toMatch(/^cannot be evaluated: no such overload/);
  });

  it("is asked only where `when` holds", () => {
    const rules = ruleSet({ when: "entry.n > 1", condition: "entry.n == 2", message: "{{ id }}: {{ entry.n }}" });
    const [, result] = judged(
      rules,
      [1, 2, 3].map((n) => entry(`a${n}`, { n })),
    );
    expect(result).toMatchObject({ checked: 2, skipped: 1, failed: 1, notEvaluated: 0 });
    expect(result?.examples).toEqual([{ key: "shop.a3", message: "a3: 3" }]);
  });

  it("keeps fifty examples and counts the others", () => {
    const entries = Array.from({ length: 80 }, (_, i) => entry(`a${i}`, { i }));
    const [, result] = judged(ruleSet({ condition: "false", message: "{{ entry }}" }), entries);
    expect(result?.failed).toBe(80);
    expect(result?.examples).toHaveLength(50);
    expect(result?.examples[49]).toEqual({ key: "shop.a49", message: '{"i":49}' });
  });

  it("says what is wrong in one line that nothing obeys", () => {
    const rules = ruleSet({ condition: "false", message: "{{ entry.s }} {{ entry.missing }} {{ entry.list }}" });
    const [, result] = judged(rules, [entry("a", { s: "a\u001b[31m\n\u202eb\u0000", list: [1, "é😀", null] })]);
    expect(result?.examples[0]?.message).toBe('a\\u001b[31m \\u202eb\\u0000 (No such key: missing) [1,"é😀",null]');
    const [, long] = judged(rules, [entry("a", { s: "x".repeat(9_999), missing: "y".repeat(9_999), list: [] })]);
    expect(long?.examples[0]?.message.length).toBeLessThan(502);
  });
});

describe("entries that cannot be read", () => {
  it.each([
    ["no JSON", "{"],
    ["nested too deeply", `${"[".repeat(2_000)}${"]".repeat(2_000)}`],
    ["empty", ""],
  ])("fail a rule of their own where they are %s, and no other", (_, value) => {
    const [reading, result] = judged(ruleSet({}), [entry("a", {}), entry("b", value), entry("c", {})]);
    expect(reading).toMatchObject({ name: "entry-is-json", checked: 3, failed: 1 });
    expect(reading?.examples[0]?.key).toBe("shop.b");
    expect(result).toMatchObject({ checked: 2, failed: 0 });
  });
});

describe("a rule that takes too long", () => {
  const quick = ruleSet({ name: "quick", condition: "size(entry.s) > 0" }).rules;

  /** A rule that no entry fulfils, and whose message takes too long where `isHard`. */
  function slowRule(isHard: (context: CelContext) => boolean): Rule {
    const [rule] = ruleSet({ name: "slow", condition: "false" }).rules;
    if (!rule) throw new Error("no rule");
    return { ...rule, message: (context) => (isHard(context) ? stopHere() : "m") };
  }

  it("is stopped and fails, and the rules after it are asked all the same", () => {
    const rules = [slowRule(({ id }) => id === "a"), ...quick];
    const [, first, second] = judged({ rules }, [entry("a", { s: "x" }), entry("b", { s: "x" })]);
    expect(first).toMatchObject({ checked: 2, failed: 2, notEvaluated: 1 });
    expect(first?.examples[0]).toMatchObject({ key: "shop.a", message: expect.stringContaining("takes longer") });
    expect(second).toMatchObject({ checked: 2, failed: 0 });
  });

  it("is asked no more after three entries", () => {
    let asked = 0;
    const rules = [slowRule(() => ++asked > 0), ...quick];
    const entries = Array.from({ length: 2_000 }, (_, i) => entry(`a${i}`, { s: "x" }));
    const [, first, second] = judged({ rules }, entries);
    expect(asked).toBe(3);
    expect(first).toMatchObject({ checked: 2_000, failed: 2_000 });
    expect(first?.examples[3]?.message).toContain("too long for 3 entries");
    expect(second).toMatchObject({ checked: 2_000, failed: 0 });
  });

  it("is counted once for an entry at which it was stopped", () => {
    const [, result] = judged({ rules: [slowRule(() => true)] }, [entry("a", {})]);
    expect(result).toMatchObject({ checked: 1, failed: 1, notEvaluated: 1 });
    expect(result?.examples).toEqual([{ key: "shop.a", message: expect.stringContaining("takes longer") }]);
  });

  it("makes what it collects worth nothing", () => {
    const [rule] = ruleSet({ scope: "domain", collect: { n: { count: "true" } }, condition: "n > 0" }).rules;
    if (!rule) throw new Error("no rule");
    const step = new CollectStep(rule);
    step.overrun("shop.a");
    step.take("shop.b", {});
    expect(step.result({ domain: {}, counts: {} }).examples[0]?.message).toMatch(
      /1 entries have no part in it, the first is shop\.a: it takes longer/,
    );
  });

  it("is stopped by the clock wherever it is, also within a regular expression that backtracks for ever", () => {
    const hard = entry("a", { s: "x".repeat(60) });
    const rules = ruleSet({ condition: "!entry.s.matches('(x+x+)+y')" });
    const [, result] = judged(rules, [hard], { guard: new TimeGuard(), budgetMs: 1_000 });
    expect(result).toMatchObject({ checked: 1, failed: 1, notEvaluated: 1 });
  });
});

describe("a rule over the whole domain", () => {
  const entries = [
    entry("a", { n: 1, w: 0.5, at: "2026-01-01", state: "open" }),
    entry("b", { n: 5, w: 2, at: "2026-03-01", state: "closed" }),
    entry("c", { n: 3, w: null, at: "2026-02-01", state: "open" }),
  ];

  it.each([
    [{ n: { count: "entry.state == 'open'" } }, "n == 2 && entries == 3"],
    [{ n: { sum: "entry.n" } }, "n == 9 && n / entries == 3"],
    [{ n: { sum: "entry.n", where: "entry.state == 'open'" } }, "n == 4"],
    [{ n: { sum: "entry.w" } }, "n == 2.5"],
    [{ n: { min: "entry.n" }, m: { max: "entry.n" } }, "n == 1 && m == 5"],
    [{ n: { min: "entry.at" }, m: { max: "entry.at" } }, "n == '2026-01-01' && m == '2026-03-01'"],
    [{ n: { max: "entry.n", where: "entry.n > 9" }, m: { sum: "entry.n", where: "false" } }, "n == null && m == 0"],
    [{ n: { sum: "events" } }, "n == 3"],
  ])("collects %j so that %s", (collect, condition) => {
    const [, result] = judged(ruleSet({ scope: "domain", collect, condition }), entries);
    expect(result).toMatchObject({ checked: 1, failed: 0, examples: [] });
  });

  it("says with its values that it does not hold", () => {
    const rules = ruleSet({
      scope: "domain",
      collect: { open: { count: "entry.state == 'open'" } },
      condition: "open * 2 <= entries",
      message: "{{ open }} of {{ entries }} are open",
    });
    expect(judged(rules, entries)[1]?.examples).toEqual([{ key: null, message: "2 of 3 are open" }]);
  });

  it.each([
    [{ n: { sum: "entry.state" } }, "n: gave a string, not a number"],
    [{ n: { sum: "entry.missing" } }, "n: No such key: missing"],
    [{ n: { max: "entry.state == 'open' ? dyn(entry.n) : dyn(entry.at)" } }, "texts and numbers cannot be compared"],
  ])("has not passed where %j says nothing of an entry", (collect, why) => {
    const [, result] = judged(ruleSet({ scope: "domain", collect }), entries);
    expect(result).toMatchObject({ failed: 1, notEvaluated: 1 });
    expect(result?.examples[0]?.message).toContain(why);
  });
});
