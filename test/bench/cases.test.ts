import { describe, expect, it } from "vitest";
import { judge } from "./bars.ts";
import { flagsOf } from "./case.ts";
import { casesOf, wanted } from "./cases.ts";
import { datasetsOf } from "./datasets.ts";
import { listOf } from "./list.ts";
import { parseInvocation } from "./options.ts";
import { fullCases, readingOf, resultsOf } from "./results.fixture.ts";
import { Summary } from "./summary.ts";

describe("the bench's cases", () => {
  it("have names of their own, and ceilings that are measured on the same stream", () => {
    const cases = fullCases();
    const byName = new Map(cases.map((one) => [one.name, one]));
    expect(byName.size).toBe(cases.length);
    for (const { ceiling, dataset } of cases) {
      expect(byName.get(ceiling)).toMatchObject({ dataset, work: { program: "raw-read" } });
    }
  });

  it("give every bar what it judges", () => {
    const results = resultsOf(fullCases(), ({ dataset }) => [
      readingOf(dataset.events, 1, { entries: dataset.aggregates, firstUnitSeconds: 1 }),
    ]);
    expect(judge(new Summary(results.cases)).filter(({ measured }) => measured === null)).toEqual([]);
  });

  it("come with the ceilings that their ratios need where only some are asked for", () => {
    const names = wanted(fullCases(), ["zipf: flat", "zipf: shuffle"]).map(({ name }) => name);
    expect(names).toEqual(["zipf: raw read", "zipf: flat", "zipf: shuffle, 2 workers"]);
    expect(wanted(fullCases(), ["=flat"]).map(({ name }) => name)).toEqual(["raw read", "flat"]);
    expect(() => wanted(fullCases(), ["flat", "fast"])).toThrow('Cannot measure "fast": no measurement of this suite');
  });

  it("leave out a source that the build does not have, and do not ask it for one", () => {
    const { options } = parseInvocation(["--suite", "full"]);
    const flags = casesOf(options, datasetsOf(options), { hasSources: false }).flatMap(({ work }) =>
      work.kind === "command" ? flagsOf(work) : [],
    );
    expect(flags).not.toContain("--source");
    expect(fullCases().some(({ work }) => work.kind === "command" && work.source === "shuffle")).toBe(true);
  });

  it("are few in the default suite, and say in a list what would be measured", () => {
    const { options } = parseInvocation([]);
    const cases = casesOf(options, datasetsOf(options), { hasSources: true });
    expect(new Set(cases.map(({ dataset }) => dataset.stream))).toEqual(new Set(["MAIN", "MANY"]));
    expect(listOf(cases)).toMatch(/^MAIN +1,000,000 events of 300 B, 20,000 aggregates, uniform, in files$/m);
    expect(listOf(cases)).toMatch(/^graph, 2 workers .* domain-replay --projection graph --units 2 /m);
  });

  it("have fewer aggregates on short streams, and never more than events", () => {
    const { options } = parseInvocation(["--events", "10k"]);
    const { main, huge } = datasetsOf(options);
    expect(main).toMatchObject({ events: 10_000, aggregates: 200 });
    expect(huge).toMatchObject({ events: 20_000, aggregates: 20_000 });
  });
});

describe("the bench's flags", () => {
  it("read counts as people write them", () => {
    expect(parseInvocation(["--events", "10M", "--aggregates", "5k"]).options).toMatchObject({
      events: 10_000_000,
      aggregates: 5_000,
    });
    expect(() => parseInvocation(["--events", "10G"])).toThrow(
      'Cannot read --events: "10G" is no whole number above 0',
    );
    expect(() => parseInvocation(["--suite", "all"])).toThrow('Cannot measure suite "all"');
  });

  it("measure nothing where readings are given, or only a fit is asked for", () => {
    expect(parseInvocation(["--from", "x.json"])).toMatchObject({ action: "render", from: "x.json" });
    expect(parseInvocation(["--fit"])).toMatchObject({ action: "render", from: "docs/benchmarks.json" });
    expect(parseInvocation(["--fit", "--suite", "full"])).toMatchObject({ action: "measure", fit: true });
  });
});
