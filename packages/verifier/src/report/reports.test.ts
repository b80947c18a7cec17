import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { barsOf } from "./bars.ts";
import { htmlReport } from "./html-report.ts";
import { validationJson } from "./json-report.ts";
import { junitReport } from "./junit-report.ts";
import { resultOf, validationOf } from "./validation.fixture.ts";
import { outcomeInWords, resultInWords, writtenMeanwhileInWords } from "./words.ts";

const HOSTILE = `<script>x</script>"'&]]>\u0000\ud800`;
const failing = resultOf({
  name: HOSTILE,
  failed: 3,
  notEvaluated: 1,
  examples: [{ key: `graph.${HOSTILE}`, message: HOSTILE }],
});
const warning = resultOf({ name: "w", severity: "warning", failed: 1, examples: [{ key: null, message: "w" }] });
const notAsked = resultOf({ name: "n", checked: 0, skipped: 10 });

describe("the page", () => {
  const page = htmlReport(
    validationOf([failing, warning, resultOf(), notAsked], { verdict: "fails", domain: HOSTILE }),
  );

  it("allows its own style by its hash, and nothing else", () => {
    const style = /<style>([\s\S]*?)<\/style>/.exec(page)?.[1] ?? "";
    const hash = createHash("sha256").update(style).digest("base64");
    expect(page).toContain("default-src &#39;none&#39;");
    expect(page).toContain(`style-src &#39;sha256-${hash}&#39;`);
  });

  it("holds no script, no link, no style attribute and no handler, whatever it shows", () => {
    expect(page).not.toMatch(/<script|<link|<img|<a |<base|<iframe|\sstyle=|\son\w+=|url\(|http:\/\/|https:\/\//i);
    expect(page).toContain("&lt;script&gt;x&lt;/script&gt;&quot;&#39;&amp;]]&gt;");
  });

  it("says how many more there are than it shows", () => {
    expect(page).toContain("… and 2 more");
    expect(page).toContain("Does not hold for 3 of 10 entries, 1 of them because it cannot be evaluated.");
    expect(page).toContain("10 entries not asked.");
  });
});

describe("a rule's bar", () => {
  it.each([
    [resultOf({ checked: 1_000_000, failed: 1, skipped: 5 })],
    [resultOf({ checked: 3, failed: 3 })],
    [resultOf({ checked: 0, skipped: 7 })],
    [resultOf({ checked: 7, failed: 6, skipped: 1 })],
  ])("has room for each part, and no more than there is", (result) => {
    const bars = barsOf(result);
    expect(bars.reduce((sum, { width }) => sum + width, 0)).toBeCloseTo(1_000, 0);
    for (const { width } of bars) expect(width).toBeGreaterThanOrEqual(12);
  });

  it("is empty where nothing was asked at all", () => {
    expect(barsOf(resultOf({ checked: 0 }))).toEqual([]);
  });
});

describe("JUnit's XML", () => {
  const xml = junitReport(validationOf([failing, warning, resultOf(), notAsked], { verdict: "fails" }));

  it("has a failure for each error and nothing but text for a warning", () => {
    expect(xml).toContain('tests="4" failures="1" errors="0" skipped="1" time="1.5"');
    expect(xml.match(/<failure /g)).toHaveLength(1);
    expect(xml).toMatch(/name="w"[^>]*><system-out>warning: /);
  });

  it("holds only what XML can hold", () => {
    expect(xml).not.toContain("\u0000");
    expect(xml.isWellFormed()).toBe(true);
    expect(xml).not.toContain("<script");
    expect(xml).not.toContain("]]>");
    expect(xml).toContain("&lt;script&gt;x&lt;/script&gt;&quot;&apos;&amp;]]&gt;\ufffd\ufffd");
  });
});

describe("the record", () => {
  it("has names as other records have them", () => {
    const record = validationJson(validationOf([warning], { writtenMeanwhile: 2 }));
    expect(record).toMatchObject({
      verdict: "holds",
      written_meanwhile: 2,
      bucket: { last_revision: 12 },
      stream: { last_seq: 100 },
      tool_version: "1.2.3",
      results: [{ name: "w", severity: "warning", checked: 10, failed: 1, not_evaluated: 0 }],
    });
  });
});

describe("words", () => {
  it("count rules and entries", () => {
    expect(outcomeInWords(validationOf([resultOf()]))).toBe("The one rule holds.");
    expect(outcomeInWords(validationOf([resultOf(), notAsked]))).toBe(
      "All 2 rules hold. Of 1 rule nothing was to be asked.",
    );
    expect(outcomeInWords(validationOf([failing, warning, resultOf()]))).toBe(
      "2 of 3 rules do not hold: 1 error, 1 warning.",
    );
    expect(resultInWords(resultOf({ checked: 1 }))).toBe("Holds for the one entry.");
    expect(resultInWords(resultOf({ scope: "domain", checked: 1, failed: 1 }))).toBe("Does not hold.");
    expect(resultInWords(resultOf({ scope: "counts", checked: 0, skipped: 1 }))).toMatch(/Not asked/);
    expect(writtenMeanwhileInWords(validationOf([], { writtenMeanwhile: 2 }))).toMatch(/^2 entries came or changed/);
  });
});
