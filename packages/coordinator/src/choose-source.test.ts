import { type Load, partitionHashesEvenly, type Plan, type RunSettings, tileSlices } from "@cim-replay/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseSource, cutWork, mayShuffle, mostPartitions } from "./choose-source.ts";

const cheap = { serverRead: 3.5, clientRead: 1.5, fold: 4 };
const dear = { ...cheap, fold: 40 };
const unfiltered: Plan["read"] = { filterSubjects: [], messages: 10_000_000, reason: "" };
const filtered: Plan["read"] = { ...unfiltered, filterSubjects: ["events.shop.>"] };

const loadOf = (changes: Partial<Load> = {}): Load => ({
  ...{ messages: 10_000_000, events: 10_000_000, maxUnits: 16, cores: 16 },
  ...changes,
});
const asked = (changes: Partial<RunSettings> = {}): Pick<RunSettings, "source" | "units" | "aggregateId"> => ({
  ...{ source: "auto", units: null, aggregateId: null },
  ...changes,
});

describe("the source that is chosen", () => {
  it("is direct where one or two passes are cheap against the fold: a machine of two cores", () => {
    const { source } = chooseSource(loadOf({ cores: 2, maxUnits: 2 }), asked(), unfiltered, cheap);
    expect(source.kind).toBe("direct");
    expect(source.reason).toMatch(/^1 unit of at most 2: about [\d.]+ s.*; shuffled about [\d.]+ s$/);
  });

  it("is shuffle where many workers have a dear fold to share, and says what both would take", () => {
    const { source, units, seconds } = chooseSource(loadOf(), asked(), unfiltered, dear);
    expect(source.kind).toBe("shuffle");
    expect(units).toBe(16);
    expect(source.reason).toContain(
      `packed for 16 units, about ${seconds.toFixed(1)} s on 16 cores; every unit reading by itself, `,
    );
  });

  it("is direct where little would be gained", () => {
    expect(chooseSource(loadOf({ messages: 50_000, events: 50_000 }), asked(), unfiltered, dear).source.kind).toBe(
      "direct",
    );
  });

  it.each([
    ["one aggregate", asked({ aggregateId: "a" }), unfiltered, 16, /one aggregate is not shuffled/],
    ["what the server filters", asked(), filtered, 16, /what the server filters is not shuffled/],
    ["one partition", asked(), unfiltered, 1, /one partition is not shuffled/],
    [
      "a number of units that is asked for",
      asked({ units: 3 }),
      unfiltered,
      16,
      /3 units, as --units asks; not shuffled/,
    ],
  ])("is direct, with the reason said, for %s", (_, request, read, maxUnits, reason) => {
    const { source } = chooseSource(loadOf({ maxUnits }), request, read, dear);
    expect(source.kind).toBe("direct");
    expect(source.reason).toMatch(reason);
  });

  it("is what is asked for, whatever it costs", () => {
    const small = loadOf({ messages: 10, events: 10, maxUnits: 2, cores: 2 });
    const shuffled = chooseSource(small, asked({ source: "shuffle", units: 1 }), unfiltered, cheap);
    expect(shuffled).toMatchObject({ source: { kind: "shuffle" }, units: 1 });
    expect(shuffled.source.reason).toContain("as --source asks");
    const direct = chooseSource(loadOf(), asked({ source: "direct" }), unfiltered, dear);
    expect(direct.source.kind).toBe("direct");
    expect(direct.source.reason).toContain("as --source asks");
  });

  it("is never shuffle for one aggregate, even where that is asked for", () => {
    const request = asked({ source: "shuffle", aggregateId: "a" });
    expect(mayShuffle(request)).toBe(false);
    expect(chooseSource(loadOf({ maxUnits: 1 }), request, filtered, dear).source).toMatchObject({ kind: "direct" });
  });
});

describe("the work that is cut", () => {
  const range = fc.record({ fromSeq: fc.integer({ min: 1, max: 1e9 }), size: fc.integer({ min: 0, max: 1e9 }) });

  it("has slices that tile the range, and where events are shuffled one unit for each", () => {
    fc.assert(
      fc.property(range, fc.integer({ min: 1, max: 64 }), fc.boolean(), ({ fromSeq, size }, cores, isShuffled) => {
        const choice = {
          source: { kind: isShuffled ? "shuffle" : "direct", reason: "" } as const,
          units: 3,
          seconds: 1,
        };
        const asks = { fromSeq, toSeq: fromSeq + size - 1 };
        const work = cutWork(choice, partitionHashesEvenly(5).partitions, asks, cores);
        const whole = work.slices.reduce(
          (next, slice) => (slice.fromSeq === next ? slice.toSeq + 1 : Number.NaN),
          fromSeq,
        );
        expect(whole).toBe(asks.toSeq + 1);
        expect(work.units).toHaveLength(3);
        expect(work.sliceUnits.map(({ slice }) => slice)).toEqual(isShuffled ? work.slices.map((_, at) => at) : []);
        expect(work.sliceUnits.length).toBeLessThanOrEqual(Math.min(64, size));
      }),
    );
  });

  it("has as many slices of a short stream as keep all cores busy", () => {
    const choice = { source: { kind: "shuffle", reason: "" } as const, units: 2, seconds: 1 };
    const work = cutWork(choice, partitionHashesEvenly(2).partitions, { fromSeq: 1, toSeq: 100_000 }, 4);
    expect(work.slices).toEqual(tileSlices({ fromSeq: 1, toSeq: 100_000 }, 12_500));
  });
});

describe("the number of partitions", () => {
  const of = (kind: "direct" | "shuffle", units: number) => ({ source: { kind, reason: "" }, units, seconds: 1 });
  const usual = { parallel: 6, units: null, continueFromEntries: false, checkpointInterval: "auto" } as const;

  it.each([
    ["a single unit that reads by itself has as many as are asked for", of("direct", 1), usual, 6],
    ["one of several has four, so that it can be split twice", of("direct", 3), usual, 12],
    ["so has one that is handed segments, even alone", of("shuffle", 1), { ...usual, parallel: 1 }, 4],
    ["many units have fewer", of("shuffle", 100), { ...usual, parallel: 100 }, 256],
    ["very many have one each", of("shuffle", 300), { ...usual, parallel: 300 }, 300],
    ["units of a forced number are never split", of("shuffle", 3), { ...usual, units: 3 }, 6],
    ["without checkpoints nothing is split", of("shuffle", 6), { ...usual, checkpointInterval: null }, 6],
    ["nor what goes on from entries", of("shuffle", 6), { ...usual, continueFromEntries: true }, 6],
  ])("%s", (_, choice, asked, most) => {
    expect(mostPartitions(choice, asked)).toBe(most);
  });
});
