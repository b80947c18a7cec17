import { describe, expect, it } from "vitest";
import { certificateText, parseCertificate, verdictOf } from "./certificate.ts";
import { certificateOf } from "./certificate.fixture.ts";
import { Discrepancies } from "./discrepancies.ts";

const text = certificateText(certificateOf());

describe("a certificate's text", () => {
  it("is canonical JSON and comes back as it was", () => {
    expect(text.endsWith("}\n")).toBe(true);
    expect(parseCertificate(text)).toEqual(certificateOf());
    expect(certificateText(parseCertificate(text))).toBe(text);
  });

  it.each([
    ["is no JSON", text.slice(0, 40), /it is no JSON/],
    ["lacks a field", text.replace('"domain":"graph",', ""), /domain/],
    ["has a field more", text.replace("{", '{"A":1,'), /A/],
    ["says a thing twice", text.replace('"level":"full"', '"level":"counts","level":"full"'), /edited/],
    ["is set otherwise", JSON.stringify(JSON.parse(text), null, 2), /edited/],
    [
      "has another verdict than its checks",
      text.replace('"verdict":"holds","version"', '"verdict":"fails","version"'),
      /verdict/,
    ],
    [
      "has a check that was made to fail",
      text.replace(
        '"coverage":{"evidence":{"entries":3},"verdict":"holds"',
        '"coverage":{"evidence":{"entries":3},"verdict":"fails"',
      ),
      /verdict/,
    ],
    ["is of a later version", text.replace('"version":1}', '"version":2}'), /version/],
  ])("is refused where it %s", (_, edited, why) => {
    expect(edited).not.toBe(text);
    expect(() => parseCertificate(edited)).toThrow(why);
  });
});

describe("a verdict", () => {
  it("fails by one check or one discrepancy, and not by what was not compared", () => {
    const { checks, discrepancies } = certificateOf();
    const notCompared = { verdict: "not compared", why: "level", evidence: {} } as const;
    const fails = { verdict: "fails", why: null, evidence: {} } as const;
    expect(verdictOf({ checks: { ...checks, refold: notCompared }, discrepancies })).toBe("holds");
    expect(verdictOf({ checks: { ...checks, refold: fails }, discrepancies })).toBe("fails");
    expect(verdictOf({ checks, discrepancies: { ...discrepancies, total: 1 } })).toBe("fails");
  });
});

describe("discrepancies", () => {
  it("are all counted, and the first thousand kept, with texts of bounded length and whole characters", () => {
    const found = new Discrepancies();
    for (let i = 0; i < 2_500; i++)
      found.add(i % 2 ? "value" : "missing", "x".repeat(299) + "💥".repeat(1_000), { key: `k${i}` });
    const { total, byKind, first } = found.toJSON();
    expect([total, byKind, first.length]).toEqual([2_500, { missing: 1_250, value: 1_250 }, 1_000]);
    expect(first[7]).toMatchObject({ kind: "value", key: "k7", partition: null, sequence: null });
    expect(first.every((each) => each.text.length < 400 && each.text.isWellFormed())).toBe(true);
    const checks = certificateOf().checks;
    const certificate = certificateOf({ discrepancies: found.toJSON(), verdict: "fails", checks });
    expect(parseCertificate(certificateText(certificate)).discrepancies.first).toHaveLength(1_000);
  });
});
