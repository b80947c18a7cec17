import type { ReplayEvent } from "@cim-replay/core";
import { connect, disconnect, disconnectAll } from "./graph-links.ts";
import type { GraphEdge, GraphNode, GraphState } from "./graph-state.ts";
import { idOf, nestedText, numberOf, type Payload, payloadOf, requireId, textOf } from "./payload.ts";
import type { Handler } from "./tally.ts";

const NODE_ID = ["node_id"];
const EDGE_ID = ["edge_id"];
const SOURCE = ["source", "source_id", "source_node"];
const TARGET = ["target", "target_id", "target_node"];

/** By canonical type. In an update a field that is absent or null leaves what there is. */
export const graphHandlers: ReadonlyMap<string, Handler<GraphState>> = new Map<string, Handler<GraphState>>([
  ["graphcreated", createGraph],
  ["graphupdated", updateGraph],
  ["grapharchived", archiveGraph],
  ["nodeadded", addNode],
  ["nodeupdated", updateNode],
  ["noderemoved", removeNode],
  ["edgeadded", addEdge],
  ["edgeupdated", updateEdge],
  ["edgeremoved", removeEdge],
]);

function createGraph(state: GraphState, event: ReplayEvent): boolean {
  if (state.created_at !== null) return false;
  const payload = payloadOf(event);
  describeGraph(state, payload);
  state.created_at = textOf(payload.created_at) ?? event.timestamp;
  return true;
}

function updateGraph(state: GraphState, event: ReplayEvent): boolean {
  describeGraph(state, payloadOf(event));
  return true;
}

function describeGraph(state: GraphState, payload: Payload): void {
  state.metadata = nestedText(payload.metadata) ?? state.metadata;
  state.name = textOf(payload.name) ?? state.name;
  state.description = textOf(payload.description) ?? state.description;
  state.graph_type = textOf(payload.graph_type) ?? state.graph_type;
}

function archiveGraph(state: GraphState, event: ReplayEvent): boolean {
  if (state.archived_at !== null) return false;
  state.archived_at = textOf(payloadOf(event).archived_at) ?? event.timestamp;
  return true;
}

function addNode(state: GraphState, event: ReplayEvent): boolean {
  const payload = payloadOf(event);
  const id = requireId(event, payload, NODE_ID);
  if (state.nodes.has(id)) return false;
  const node: GraphNode = {
    node_type: null,
    label: null,
    x: null,
    y: null,
    z: null,
    metadata: null,
    degree: 0,
    edge_ids: null,
  };
  describeNode(node, payload);
  state.nodes.set(id, node);
  return true;
}

function updateNode(state: GraphState, event: ReplayEvent): boolean {
  const payload = payloadOf(event);
  const node = state.nodes.get(requireId(event, payload, NODE_ID));
  if (node === undefined) return false;
  describeNode(node, payload);
  return true;
}

function describeNode(node: GraphNode, payload: Payload): void {
  node.metadata = nestedText(payload.metadata) ?? node.metadata;
  node.node_type = textOf(payload.node_type) ?? node.node_type;
  node.label = textOf(payload.label) ?? node.label;
  if (typeof payload.position === "object" && payload.position !== null) placeNode(node, payload.position);
}

/** `{x,y,z}` or `[x,y,z]`; without a z it lies in the plane. */
function placeNode(node: GraphNode, position: object): void {
  const { x, y, z } = (
    Array.isArray(position) ? { x: position[0], y: position[1], z: position[2] } : position
  ) as Payload;
  if (numberOf(x) === null || numberOf(y) === null) return;
  node.x = numberOf(x);
  node.y = numberOf(y);
  node.z = numberOf(z) ?? 0;
}

function removeNode(state: GraphState, event: ReplayEvent): boolean {
  const id = requireId(event, payloadOf(event), NODE_ID);
  const node = state.nodes.get(id);
  if (node === undefined) return false;
  disconnectAll(state, id, node);
  state.nodes.delete(id);
  return true;
}

function addEdge(state: GraphState, event: ReplayEvent): boolean {
  const payload = payloadOf(event);
  const id = requireId(event, payload, EDGE_ID);
  const source = requireId(event, payload, SOURCE);
  const target = requireId(event, payload, TARGET);
  if (state.edges.has(id)) return false;
  const edge: GraphEdge = { source, target, relationship: null, edge_type: null, weight: null, metadata: null };
  describeEdge(edge, payload);
  return connect(state, id, edge);
}

function updateEdge(state: GraphState, event: ReplayEvent): boolean {
  const payload = payloadOf(event);
  const id = requireId(event, payload, EDGE_ID);
  const edge = state.edges.get(id);
  if (edge === undefined) return false;
  const source = firstId(payload, SOURCE) ?? edge.source;
  const target = firstId(payload, TARGET) ?? edge.target;
  if (source === edge.source && target === edge.target) {
    describeEdge(edge, payload);
    return true;
  }
  if (!state.nodes.has(source) || !state.nodes.has(target)) return false;
  const moved = { ...edge, source, target };
  describeEdge(moved, payload);
  disconnect(state, id, edge);
  return connect(state, id, moved);
}

function describeEdge(edge: GraphEdge, payload: Payload): void {
  edge.metadata = nestedText(payload.metadata) ?? edge.metadata;
  edge.relationship = textOf(payload.relationship) ?? edge.relationship;
  edge.edge_type = textOf(payload.edge_type) ?? edge.edge_type;
  edge.weight = numberOf(payload.weight) ?? edge.weight;
}

function removeEdge(state: GraphState, event: ReplayEvent): boolean {
  const id = requireId(event, payloadOf(event), EDGE_ID);
  const edge = state.edges.get(id);
  if (edge === undefined) return false;
  disconnect(state, id, edge);
  return true;
}

function firstId(payload: Payload, fields: readonly string[]): string | null {
  for (const field of fields) {
    const id = idOf(payload[field]);
    if (id !== null) return id;
  }
  return null;
}
