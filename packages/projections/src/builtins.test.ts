import { compileProjection, parseProjection } from "@cim-replay/core";
import fc from "fast-check";
import { Packr } from "msgpackr";
import { describe, expect, it } from "vitest";
import { builtinFor, builtinProjections } from "./builtins.ts";
import { eventAt, type Happening } from "./fold.fixture.ts";

// As checkpoints pack them: only an instance of Packr gives Maps back as Maps.
const packr = new Packr();

const id = fc.constantFrom("a", "b", "c", "10", "9", "__proto__", "toJSON", "constructor");
const metadata = fc.oneof(
  fc.constant({}),
  fc.dictionary(id, fc.jsonValue({ maxDepth: 2 })),
  fc.constant(JSON.parse('{"__proto__":{"a":-0}}')),
);
const position = fc.oneof(
  fc.constant(null),
  fc.tuple(fc.double(), fc.double(), fc.double()),
  fc.record({ x: fc.constant(-0), y: fc.integer() }),
);
const fields = fc.record({
  node_id: id,
  edge_id: id,
  source: id,
  target: id,
  step_id: id,
  task_id: id,
  position,
  metadata,
  name: fc.string(),
});
const type = fc.constantFrom(
  ...[
    "NodeAdded",
    "NodeAdded",
    "NodeAdded",
    "NodeUpdated",
    "NodeRemoved",
    "EdgeAdded",
    "edge_created",
    "EdgeAdded",
    "EdgeUpdated",
  ],
  ...[
    "EdgeRemoved",
    "GraphCreated",
    "GraphUpdated",
    "WorkflowCreated",
    "WorkflowStarted",
    "StepAdded",
    "StepAdded",
    "StepCompleted",
  ],
  ...["TaskAssigned", "TaskFailed", "StepRemoved", "__proto__", "Unheard"],
);
const happenings = fc.array(fc.tuple(type, fields) as fc.Arbitrary<Happening>, { maxLength: 60 });

describe("the built-in projections", () => {
  it("are projections, found by their domain, else aggregate", () => {
    for (const [name, projection] of builtinProjections) expect(parseProjection(projection, name).name).toBe(name);
    expect(["graph", "workflow", "person", "__proto__"].map((domain) => builtinFor(domain).name)).toEqual([
      "graph",
      "workflow",
      "aggregate",
      "aggregate",
    ]);
  });

  it.each([...builtinProjections.keys()])("%s ends with the same bytes wherever a checkpoint cuts it", (name) => {
    const projection = compileProjection(builtinProjections.get(name) ?? builtinFor(name));
    fc.assert(
      fc.property(happenings, fc.array(fc.nat(60), { maxLength: 4 }), (all, cuts) => {
        let whole = projection.initial("agg");
        let cut = projection.initial("agg");
        for (const [n, happening] of all.entries()) {
          whole = projection.apply(whole, eventAt(n, happening));
          if (cuts.includes(n)) cut = packr.unpack(packr.pack(cut));
          cut = projection.apply(cut, eventAt(n, happening));
        }
        expect(projection.encode(cut)).toBe(projection.encode(whole));
      }),
      { numRuns: 300 },
    );
  });

  it.each([...builtinProjections.keys()])("%s goes on from its entries as if it had never stopped", (name) => {
    const projection = compileProjection(builtinProjections.get(name) ?? builtinFor(name));
    const stored = (state: unknown) => projection.decode(JSON.parse(projection.encode(state)));
    fc.assert(
      fc.property(happenings, fc.array(fc.nat(60), { maxLength: 4 }), (all, cuts) => {
        let whole = projection.initial("agg");
        let cut = stored(projection.initial("agg"));
        for (const [n, happening] of all.entries()) {
          whole = projection.apply(whole, eventAt(n, happening));
          if (cuts.includes(n)) cut = stored(cut);
          cut = projection.apply(cut, eventAt(n, happening));
        }
        expect(projection.encode(cut)).toBe(projection.encode(whole));
        expect(projection.encode(stored(whole))).toBe(projection.encode(whole));
      }),
      { numRuns: 1_000 },
    );
  });
});
