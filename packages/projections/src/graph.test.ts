import { describe, expect, it } from "vitest";
import { encoded, fold } from "./fold.fixture.ts";
import { graph } from "./graph.ts";

const node = (node_id: string, more = {}) => ["NodeAdded", { graph_id: "g", node_id, ...more }] as const;
const edge = (edge_id: string, source: string, target: string) =>
  ["EdgeAdded", { graph_id: "g", edge_id, source, target }] as const;

describe("the graph projection", () => {
  it("makes one document of a graph's events", () => {
    const state = fold(graph, [
      [
        "GraphCreated",
        { graph_id: "g", name: "Orders", description: "d", graph_type: "workflow", metadata: { team: "x" } },
      ],
      node("a", { position: { x: 1, y: 2, z: 3 }, node_type: "start", label: "A", metadata: { b: 1, a: [2] } }),
      node("b", { position: [4, 5] }),
      [
        "EdgeAdded",
        { edge_id: "e", source: "a", target: "b", relationship: "leads_to", edge_type: "flow", weight: 0.5 },
      ],
      ["NodeUpdated", { node_id: "b", label: "B", node_type: null }],
      ["EdgeUpdated", { edge_id: "e", weight: 2 }],
      ["GraphUpdated", { name: "Orders 2" }],
      ["GraphArchived", { archived_at: "2026-02-01T00:00:00Z" }],
    ]);
    expect(encoded(graph, state)).toEqual({
      graph_id: "agg",
      name: "Orders 2",
      description: "d",
      graph_type: "workflow",
      metadata: { team: "x" },
      nodes: {
        a: { node_type: "start", label: "A", position: { x: 1, y: 2, z: 3 }, metadata: { a: [2], b: 1 } },
        b: { node_type: null, label: "B", position: { x: 4, y: 5, z: 0 }, metadata: {} },
      },
      edges: { e: { source: "a", target: "b", relationship: "leads_to", edge_type: "flow", weight: 2, metadata: {} } },
      node_count: 2,
      edge_count: 1,
      archived: true,
      archived_at: "2026-02-01T00:00:00Z",
      created_at: "2026-01-01T00:00:00Z",
      updated_at: "2026-01-01T00:00:07Z",
      events: 8,
      violations: 0,
      unknown_events: {},
    });
  });

  it.each([
    ["EdgeCreated", { source_id: "a", target_id: "b" }],
    ["EdgeConnected", { source_node: "a", target_node: "b" }],
    ["NodesConnected", { source: { id: "a" }, target: { id: "b" } }],
    ["edge_added", { source: "a", target: "b" }],
    ["edgecreated", { source: "a", target: "b" }],
  ])("takes %s for an added edge", (type, ends) => {
    const state = fold(graph, [
      ["node_created", { node_id: "a" }],
      ["NodeCreated", { node_id: "b" }],
      [type, { edge_id: "e", ...ends }],
    ]);
    expect(encoded(graph, state)).toMatchObject({ edges: { e: { source: "a", target: "b" } }, violations: 0 });
  });

  it("removes a node's edges with it, and no others", () => {
    const state = fold(graph, [
      ...["a", "b", "c"].map((id) => node(id)),
      edge("ab", "a", "b"),
      edge("bc", "b", "c"),
      edge("ca", "c", "a"),
      edge("aa", "a", "a"),
      ["NodeRemoved", { node_id: "a" }],
      node("a"),
      edge("ab", "b", "a"),
    ]);
    expect(encoded(graph, state)).toMatchObject({ node_count: 3, edge_count: 2, violations: 0 });
    expect([...state.edges.keys()]).toEqual(["bc", "ab"]);
  });

  it("counts events that break a rule and changes nothing else", () => {
    const before = fold(graph, [node("a"), node("b"), edge("e", "a", "b")]);
    const violations = [
      edge("f", "a", "nowhere"),
      edge("e", "b", "a"),
      node("a", { label: "twice" }),
      ["NodeRemoved", { node_id: "nowhere" }],
      ["NodeUpdated", { node_id: "nowhere" }],
      ["EdgeRemoved", { edge_id: "f" }],
      ["EdgeUpdated", { edge_id: "f" }],
      ["EdgeUpdated", { edge_id: "e", target: "nowhere", weight: 9 }],
    ] as const;
    const expected = { ...encoded(graph, before), violations: violations.length, events: 3 + violations.length };
    expect(encoded(graph, fold(graph, violations, before))).toEqual(expected);
  });

  it("moves an edge whose update names other nodes", () => {
    const state = fold(graph, [
      ...["a", "b", "c"].map((id) => node(id)),
      edge("e", "a", "b"),
      ["EdgeUpdated", { edge_id: "e", target_id: "c" }],
      ["NodeRemoved", { node_id: "b" }],
    ]);
    expect(encoded(graph, state)).toMatchObject({ edges: { e: { source: "a", target: "c" } } });
    expect(encoded(graph, fold(graph, [["NodeRemoved", { node_id: "c" }]], state))).toMatchObject({ edge_count: 0 });
  });

  it("counts types it does not know, by type", () => {
    const state = fold(graph, [
      ["GraphExploded", null],
      ["GraphExploded", {}],
      ["__proto__", {}],
    ]);
    expect(Object.entries(encoded(graph, state).unknown_events as object)).toEqual([
      ["GraphExploded", 2],
      ["__proto__", 1],
    ]);
  });

  it.each([
    ["NodeAdded", { label: "x" }, "NodeAdded cannot be folded: its payload has no node_id"],
    ["EdgeAdded", { edge_id: "e", source: "a" }, "no target or target_id or target_node"],
    ["NodeAdded", null, "its payload is missing"],
    ["NodeAdded", [1], "its payload is a list"],
    ["NodeUpdated", { node_id: "a", label: "changed", metadata: { x: Number.NaN } }, "NaN"],
  ])("refuses %s with %o and stays as it was", (type, payload, message) => {
    const state = fold(graph, [node("a")]);
    const before = encoded(graph, state);
    expect(() => fold(graph, [[type, payload]], state)).toThrow(message);
    expect(encoded(graph, state)).toEqual(before);
  });

  it("takes ids like __proto__ and toJSON for ids like any other", () => {
    const metadata = JSON.parse('{"__proto__":{"polluted":true},"toJSON":1,"constructor":2}');
    const state = fold(graph, [
      node("__proto__", { metadata }),
      node("constructor"),
      edge("toJSON", "__proto__", "constructor"),
    ]);
    const value = encoded(graph, state);
    expect(Object.keys(value.nodes as object)).toEqual(["__proto__", "constructor"]);
    expect(JSON.stringify(value)).toContain('{"__proto__":{"polluted":true},"constructor":2,"toJSON":1}');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it("removes thousands of edges and nodes of one hub without searching them all each time", () => {
    const count = 20_000;
    const ids = Array.from({ length: count }, (_, i) => `n${i}`);
    let state = fold(graph, [
      node("hub"),
      ...ids.map((id) => node(id)),
      ...ids.map((id) => edge(`e-${id}`, "hub", id)),
    ]);
    const startedAt = performance.now();
    state = fold(
      graph,
      ids.map((node_id) => ["NodeRemoved", { node_id }] as const),
      state,
    );
    for (let i = 0; i < count; i++)
      state = fold(graph, [node("x"), edge("e", "hub", "x"), ["NodeRemoved", { node_id: "x" }]], state);
    // A scan of the edges for each removal takes a minute here.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(encoded(graph, state)).toMatchObject({ node_count: 1, edge_count: 0, violations: 0 });
    expect(state.nodes.get("hub")?.edge_ids?.length).toBeLessThan(20);
  });
});
