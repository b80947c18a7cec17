import { parseEntryKey } from "@cim-replay/core";
import { builtinProjections } from "@cim-replay/projections";
import { generateEvents, referenceFold } from "@cim-replay/testkit";
import { describe, expect, it } from "vitest";
import { builtinRules } from "./builtin-rules.ts";
import { entry, judged } from "./rules.fixture.ts";

type Value = Record<string, unknown> & { readonly events: number };

/** What a replay would write for generated events, by id. */
async function fold(domain: string, projectionName: string): Promise<Map<string, Value>> {
  const options = { domains: [domain], events: 4_000, aggregates: 60, skew: 0.5, seed: 7 };
  const projection = builtinProjections.get(projectionName);
  if (!projection) throw new Error(projectionName);
  const messages = [...generateEvents(options)].map(({ subject, data }, i) => ({ seq: i + 1, subject, data }));
  const entries = await referenceFold(messages, projection, { domain });
  return new Map([...entries].map(([key, text]) => [parseEntryKey(key)?.aggregateId ?? key, JSON.parse(text)]));
}

function rulesOf(projection: string) {
  const rules = builtinRules(projection);
  if (!rules) throw new Error(`no rules for ${projection}`);
  // Of the quarantine the server knows.
  return { ...rules, rules: rules.rules.filter(({ scope }) => scope === "entry") };
}

describe.each([
  ["graph", "graph"],
  ["workflow", "workflow"],
  ["person", "aggregate"],
])("the built-in rules for %s", (domain, projection) => {
  it("hold for what the projection writes", async () => {
    const entries = [...(await fold(domain, projection))].map(([id, value]) => entry(id, value, value.events));
    expect(entries.length).toBeGreaterThan(40);
    const results = judged(rulesOf(projection), entries);
    expect(results.filter(({ failed }) => failed > 0)).toEqual([]);
    expect(results.filter(({ checked }) => checked > 0).length).toBeGreaterThan(3);
  });
});

const node = { node_type: null, label: null, position: null, metadata: {} };
const edge = { source: "n1", target: "n2", relationship: null, edge_type: null, weight: null, metadata: {} };
const graph = {
  graph_id: "g",
  nodes: { n1: node, n2: node },
  edges: { e1: edge },
  node_count: 2,
  edge_count: 1,
  archived: false,
  archived_at: null,
  created_at: "2026-01-01T00:00:00Z",
  events: 4,
  violations: 0,
  unknown_events: {},
};
const step = { status: "completed", dependencies: [], started_at: "t", completed_at: "t" };
const workflow = {
  workflow_id: "g",
  status: "completed",
  created_at: "t",
  started_at: "t",
  completed_at: "t",
  steps: { s1: step, s2: { ...step, dependencies: ["s1"] } },
  tasks: { t1: { ...step, step_id: "s1" } },
  steps_by_status: { completed: 2 },
  tasks_by_status: { completed: 1 },
  events: 4,
  violations: 0,
  unknown_events: {},
};
const aggregate = { aggregate_id: "g", events: 4, first_event_type: "A", last_event_type: "B" };
const running = { ...step, status: "running", completed_at: null };

describe("each built-in rule fails for what it is about", () => {
  it.each([
    ["graph", graph],
    ["workflow", workflow],
    ["aggregate", aggregate],
  ])("and none of those for %s for what is right", (projection, value) => {
    const results = judged(rulesOf(projection), [entry("g", value, 4)]);
    expect(results.filter(({ failed }) => failed > 0)).toEqual([]);
  });

  it.each([
    ["graph", { ...graph, graph_id: "h" }, "graph-id-is-its-keys"],
    ["graph", { ...graph, node_count: 3 }, "node-count-matches"],
    ["graph", { ...graph, edge_count: 2 }, "edge-count-matches"],
    ["graph", { ...graph, edges: { e1: { ...edge, target: "n9" } } }, "edges-have-their-nodes"],
    ["graph", { ...graph, archived: true }, "archived-has-archived-at"],
    ["graph", { ...graph, events: 5 }, "counts-its-events"],
    ["graph", { ...graph, created_at: null }, "was-created"],
    ["graph", { ...graph, violations: 1 }, "keeps-the-rules-of-graphs"],
    ["graph", { ...graph, unknown_events: { Exploded: 1 } }, "knows-all-event-types"],
    ["workflow", { ...workflow, workflow_id: "h" }, "workflow-id-is-its-keys"],
    ["workflow", { ...workflow, steps_by_status: { completed: 1, pending: 1 } }, "step-counts-match"],
    ["workflow", { ...workflow, tasks_by_status: {} }, "task-counts-match"],
    ["workflow", { ...workflow, completed_at: null }, "completed-has-completed-at"],
    ["workflow", { ...workflow, status: "running" }, "running-has-started-at"],
    ["workflow", { ...workflow, events: 5 }, "counts-its-events"],
    ["workflow", { ...workflow, created_at: null }, "was-created"],
    [
      "workflow",
      { ...workflow, tasks: { t1: { ...running, step_id: null } }, tasks_by_status: { running: 1 } },
      "completed-is-quiet",
    ],
    ["workflow", { ...workflow, steps: { s1: step, s2: { ...step, dependencies: ["s9"] } } }, "dependencies-are-there"],
    ["workflow", { ...workflow, tasks: { t1: { ...step, step_id: "s9" } } }, "tasks-have-their-steps"],
    ["workflow", { ...workflow, violations: 1 }, "keeps-the-rules-of-workflows"],
    ["workflow", { ...workflow, unknown_events: { Exploded: 1 } }, "knows-all-event-types"],
    ["aggregate", { ...aggregate, aggregate_id: "h" }, "aggregate-id-is-its-keys"],
    ["aggregate", { ...aggregate, events: 5 }, "counts-its-events"],
    ["aggregate", { ...aggregate, last_event_type: null }, "says-what-happened"],
  ])("%s", (projection, value, name) => {
    const results = judged(rulesOf(projection), [entry("g", value, 4)]);
    const failing = results.filter(({ failed }) => failed > 0);
    expect(failing.map((result) => result.name)).toEqual([name]);
    expect(failing[0]).toMatchObject({ notEvaluated: 0 });
    expect(failing[0]?.examples[0]?.message).not.toMatch(/No such|\(no /);
  });
});
