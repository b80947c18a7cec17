import { canonicalType, defineProjection } from "@cim-replay/core";
import { graphHandlers } from "./graph-events.ts";
import { type GraphEdge, type GraphNode, type GraphState, initialGraph } from "./graph-state.ts";
import { dictionary, parseNested } from "./payload.ts";
import { foldWith } from "./tally.ts";

/** A graph with its nodes and edges. Removing a node removes its edges; an edge needs both of its nodes. */
export const graph = defineProjection<GraphState>({
  name: "graph",
  domains: ["graph"],
  initial: initialGraph,
  evolve: (state, event) => foldWith(graphHandlers.get(canonicalType(event.type)), state, event),
  encode: encodeGraph,
});

function encodeGraph(state: GraphState) {
  return {
    graph_id: state.graph_id,
    name: state.name,
    description: state.description,
    graph_type: state.graph_type,
    metadata: parseNested(state.metadata),
    nodes: dictionary(state.nodes, encodeNode),
    edges: dictionary(state.edges, encodeEdge),
    node_count: state.nodes.size,
    edge_count: state.edges.size,
    archived: state.archived_at !== null,
    archived_at: state.archived_at,
    created_at: state.created_at,
    updated_at: state.updated_at,
    events: state.events,
    violations: state.violations,
    unknown_events: dictionary(state.unknown, (count) => count),
  };
}

function encodeNode(node: GraphNode) {
  return {
    node_type: node.node_type,
    label: node.label,
    position: node.x === null ? null : { x: node.x, y: node.y, z: node.z },
    metadata: parseNested(node.metadata),
  };
}

function encodeEdge(edge: GraphEdge) {
  return {
    source: edge.source,
    target: edge.target,
    relationship: edge.relationship,
    edge_type: edge.edge_type,
    weight: edge.weight,
    metadata: parseNested(edge.metadata),
  };
}
