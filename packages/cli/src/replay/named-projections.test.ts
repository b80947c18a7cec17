import { domainSettingsSchema } from "@cim-replay/core";
import { describe, expect, test } from "vitest";
import { loadSettings } from "../settings/load.ts";
import { onlyProjection, projectionNamedFor, projectionsToReplay } from "./named-projections.ts";
import { splitProjection } from "../settings/bucket-names.ts";

const domain = (projection?: string | string[]) =>
  domainSettingsSchema.parse(projection === undefined ? {} : { projection });
const given = (flags: Record<string, unknown>, env: Record<string, string> = {}) =>
  loadSettings({ flags, env, cwd: "/nowhere", helpCommand: "event-replay --help" });
const named = (flags: Record<string, unknown>, of = domain()) =>
  projectionsToReplay("shop", given(flags), of).map((each) => `${each.named} → ${each.bucket}`);

describe("a projection with its bucket", () => {
  test.each([
    ["graph=CIM_GRAPH", "graph", "CIM_GRAPH"],
    ["./b.ts=CIM-B_2", "./b.ts", "CIM-B_2"],
    ["graph=projection", "graph", "CIM_PROJECTIONS"],
    ["./a=b/c.ts", "./a=b/c.ts", null],
    ["./a=b.ts=CIM_B", "./a=b.ts", "CIM_B"],
    ["./a.ts", "./a.ts", null],
    ["=CIM_B", "=CIM_B", null],
  ])("%s", (text, name, bucket) => {
    expect(splitProjection(text)).toEqual({ named: name, bucket });
  });
});

describe("what a replay folds", () => {
  test("is the domain's projection into --target, where nothing is named", () => {
    expect(named({})).toEqual(["aggregate → CIM_PROJECTIONS"]);
    expect(named({ target: "X" }, domain("./a.ts"))).toEqual(["./a.ts → X"]);
    expect(named({ target: "X", projection: ["graph"] }, domain("./a.ts"))).toEqual(["graph → X"]);
  });

  test("is several, each into its bucket; one that names none is for --target", () => {
    expect(named({ projection: ["graph=A", "./b.ts=B"] })).toEqual(["graph → A", "./b.ts → B"]);
    expect(named({ projection: ["graph", "./b.ts=B"] })).toEqual(["graph → CIM_PROJECTIONS", "./b.ts → B"]);
    expect(named({ target: "X", projection: ["./b.ts=B", "graph"] })).toEqual(["./b.ts → B", "graph → X"]);
    expect(named({}, domain(["graph=A", "./b.ts=B"]))).toEqual(["graph → A", "./b.ts → B"]);
  });

  test("comes from the environment too, several separated by commas", () => {
    const from = (text: string) =>
      projectionsToReplay("shop", given({}, { CIM_REPLAY_PROJECTION: text }), domain()).map((each) => each.bucket);
    expect(from("graph=A,./b.ts=B")).toEqual(["A", "B"]);
    expect(from("./a,b.ts")).toEqual(["CIM_PROJECTIONS"]);
  });

  test.each([
    [
      "two name no bucket",
      { projection: ["./a.ts", "graph", "./b.ts=B"] },
      /\.\/a\.ts and graph name no bucket of their own\. .*--projection \.\/a\.ts=CIM_A/,
    ],
    [
      "two name the same",
      { projection: ["graph=A", "./b.ts=A"] },
      /graph and \.\/b\.ts would both be written to bucket A/,
    ],
    [
      "one names what --target means",
      { projection: ["graph", "./b.ts=X"], target: "X" },
      /both be written to bucket X/,
    ],
    [
      "--target is for none of them",
      { projection: ["graph=A", "./b.ts=B"], target: "X" },
      /every projection names a bucket of its own\. Leave --target out/,
    ],
  ])("is refused where %s", (_, flags, why) => {
    expect(() => named(flags)).toThrow(why);
  });
});

describe("the one projection for a bucket", () => {
  test("is the one that names it, else the one that names none", () => {
    const several = domain(["graph=A", "./b.ts=B"]);
    expect(projectionNamedFor("B", null, several)).toBe("./b.ts");
    expect(projectionNamedFor("C", null, several)).toBeNull();
    expect(projectionNamedFor("C", null, domain(["graph", "./b.ts=B"]))).toBe("graph");
    expect(projectionNamedFor("C", ["./c.ts"], several)).toBe("./c.ts");
    expect(projectionNamedFor("C", ["./c.ts=D"], several)).toBe("./c.ts");
    expect(projectionNamedFor("C", null, {})).toBeNull();
  });

  test("must be named to commands that write to none", () => {
    expect(onlyProjection("graph", given({}), domain())).toBe("graph");
    expect(onlyProjection("shop", given({}), domain(["./b.ts=B"]))).toBe("./b.ts");
    expect(onlyProjection("shop", given({ projection: ["graph"] }), domain(["./a.ts=A", "./b.ts=B"]))).toBe("graph");
    expect(() => onlyProjection("shop", given({}), domain(["./a.ts=A", "./b.ts=B"]))).toThrow(
      /there are \.\/a\.ts, \.\/b\.ts\. Name one with --projection/,
    );
  });
});
