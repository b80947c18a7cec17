import { compileDomain, domainSettingsSchema } from "@cim-replay/core";
import { describe, expect, it } from "vitest";
import { chooseRead } from "./choose-read.ts";

const codec = compileDomain("graph", domainSettingsSchema.parse({}));

describe("chooseRead", () => {
  it("lets the server filter where few messages match", () => {
    const read = chooseRead({ codec, subjects: ["events.graph.>"], messages: 100_000, events: 1_000 });
    expect(read).toMatchObject({ filterSubjects: ["events.graph.>"], messages: 1_000 });
    expect(read.reason).toBe("the server filters events.graph.>: 1000 of 100000 messages match");
  });

  it("reads everything where most messages match", () => {
    const read = chooseRead({ codec, subjects: ["events.graph.>"], messages: 100_000, events: 60_000 });
    expect(read).toMatchObject({ filterSubjects: [], messages: 100_000 });
    expect(read.reason).toMatch(/unfiltered.*60000 of 100000/);
  });

  it("trusts several filters only where next to nothing matches", () => {
    const subjects = ["events.graph.a", "events.graph.a.>"];
    expect(chooseRead({ codec, subjects, messages: 100_000, events: 5_000 }).filterSubjects).toEqual([]);
    expect(chooseRead({ codec, subjects, messages: 100_000, events: 500 }).filterSubjects).toEqual(subjects);
  });
});
