import type { GraphEdge, GraphNode, GraphState } from "./graph-state.ts";

/** Stale ids that a node's list may hold beyond as many as it has edges. */
const STALE_ALLOWANCE = 8;

/** Puts an edge between two nodes. False, and nothing changed, where one of them is not there. */
export function connect(state: GraphState, edgeId: string, edge: GraphEdge): boolean {
  const source = state.nodes.get(edge.source);
  const target = state.nodes.get(edge.target);
  if (source === undefined || target === undefined) return false;
  link(state, edge.source, source, edgeId);
  if (source !== target) link(state, edge.target, target, edgeId);
  state.edges.set(edgeId, edge);
  return true;
}

export function disconnect(state: GraphState, edgeId: string, edge: GraphEdge): void {
  const source = state.nodes.get(edge.source);
  const target = state.nodes.get(edge.target);
  if (source !== undefined) source.degree--;
  if (target !== undefined && target !== source) target.degree--;
  state.edges.delete(edgeId);
}

/** Removes every edge of a node, looking at no other edges than those it has or had. */
export function disconnectAll(state: GraphState, nodeId: string, node: GraphNode): void {
  for (const edgeId of node.edge_ids ?? []) {
    const edge = state.edges.get(edgeId);
    if (edge !== undefined && touches(edge, nodeId)) disconnect(state, edgeId, edge);
  }
}

/** Removing an edge leaves its id in both lists, or a node with many edges would be searched for each of them. */
function link(state: GraphState, nodeId: string, node: GraphNode, edgeId: string): void {
  node.edge_ids ??= [];
  if (node.edge_ids.length > 2 * node.degree + STALE_ALLOWANCE) {
    const isLive = (id: string) => {
      const edge = state.edges.get(id);
      return edge !== undefined && touches(edge, nodeId);
    };
    node.edge_ids = [...new Set(node.edge_ids)].filter(isLive);
  }
  node.edge_ids.push(edgeId);
  node.degree++;
}

function touches(edge: GraphEdge, nodeId: string): boolean {
  return edge.source === nodeId || edge.target === nodeId;
}
