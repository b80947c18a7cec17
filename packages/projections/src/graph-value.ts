import { connect } from "./graph-links.ts";
import { type GraphEdge, type GraphNode, type GraphState, initialGraph } from "./graph-state.ts";
import { dictionary, nestedText, parseNested, type Stored, undictionary } from "./payload.ts";
import { decodeTally } from "./tally.ts";

export type GraphValue = Stored<ReturnType<typeof encodeGraph>>;
type NodeValue = ReturnType<typeof encodeNode>;
type EdgeValue = ReturnType<typeof encodeEdge>;

/** The entry's value. All that later events depend on is in it, or follows from it. */
export function encodeGraph(state: GraphState) {
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

/** Keys in canonical order, here and below: what is sorted need not be sorted again. */
function encodeNode(node: GraphNode) {
  return {
    label: node.label,
    metadata: parseNested(node.metadata),
    node_type: node.node_type,
    position: node.x === null ? null : { x: node.x, y: node.y, z: node.z },
  };
}

function encodeEdge(edge: GraphEdge) {
  return {
    edge_type: edge.edge_type,
    metadata: parseNested(edge.metadata),
    relationship: edge.relationship,
    source: edge.source,
    target: edge.target,
    weight: edge.weight,
  };
}

/** Throws where an edge's node is missing: no fold makes such a value. */
export function decodeGraph(value: GraphValue): GraphState {
  const state: GraphState = {
    ...initialGraph(value.graph_id),
    name: value.name,
    description: value.description,
    graph_type: value.graph_type,
    metadata: nestedText(value.metadata),
    created_at: value.created_at,
    archived_at: value.archived_at,
    nodes: undictionary(value.nodes, decodeNode),
    ...decodeTally(value),
  };
  for (const [id, edge] of Object.entries(value.edges)) {
    if (!connect(state, id, decodeEdge(edge))) throw new Error(`edge "${id}" has no node at one of its ends`);
  }
  return state;
}

/** Its edges are put to it as they are connected. */
function decodeNode({ node_type, label, position, metadata }: NodeValue): GraphNode {
  return {
    node_type,
    label,
    x: position?.x ?? null,
    y: position?.y ?? null,
    z: position?.z ?? null,
    metadata: nestedText(metadata),
    degree: 0,
    edge_ids: null,
  };
}

function decodeEdge({ metadata, ...edge }: EdgeValue): GraphEdge {
  return { ...edge, metadata: nestedText(metadata) };
}
