import { canonicalType, defineProjection } from "@cim-replay/core";
import { decodeGraph, encodeGraph, type GraphValue } from "./graph-value.ts";
import { graphHandlers } from "./graph-events.ts";
import { type GraphState, initialGraph } from "./graph-state.ts";
import { foldWith } from "./tally.ts";

/** A graph with its nodes and edges. Removing a node removes its edges; an edge needs both of its nodes. */
export const graph = defineProjection<GraphState>({
  name: "graph",
  domains: ["graph"],
  initial: initialGraph,
  evolve: (state, event) => foldWith(graphHandlers.get(canonicalType(event.type)), state, event),
  encode: encodeGraph,
  // Only values with a provenance come here: they are what encodeGraph wrote.
  decode: (value) => decodeGraph(value as GraphValue),
});
