import type { Tally } from "./tally.ts";

/** Flat, and in Maps: ids come from input, and a Map outlives a checkpoint whatever its keys are. */
export interface GraphState extends Tally {
  readonly graph_id: string;
  name: string | null;
  description: string | null;
  graph_type: string | null;
  /** JSON text, as in nodes and edges. */
  metadata: string | null;
  created_at: string | null;
  archived_at: string | null;
  readonly nodes: Map<string, GraphNode>;
  readonly edges: Map<string, GraphEdge>;
}

export interface GraphNode {
  node_type: string | null;
  label: string | null;
  /** All three null: no position. */
  x: number | null;
  y: number | null;
  z: number | null;
  metadata: string | null;
  /** Edges that start or end here. */
  degree: number;
  /** Their ids, and those of edges that are gone or were counted before: put right when too many. Null: never had any. */
  edge_ids: string[] | null;
}

export interface GraphEdge {
  source: string;
  target: string;
  relationship: string | null;
  edge_type: string | null;
  weight: number | null;
  metadata: string | null;
}

export function initialGraph(graphId: string): GraphState {
  return {
    graph_id: graphId,
    name: null,
    description: null,
    graph_type: null,
    metadata: null,
    created_at: null,
    archived_at: null,
    updated_at: null,
    nodes: new Map(),
    edges: new Map(),
    events: 0,
    violations: 0,
    unknown: null,
  };
}
