import { canonicalType, defineProjection } from "@cim-replay/core";
import { foldWith } from "./tally.ts";
import { workflowHandlers } from "./workflow-events.ts";
import { initialWorkflow, type WorkflowState } from "./workflow-state.ts";
import { decodeWorkflow, encodeWorkflow, type WorkflowValue } from "./workflow-value.ts";

/** A workflow's status, and that of its steps and tasks. */
export const workflow = defineProjection<WorkflowState>({
  name: "workflow",
  domains: ["workflow"],
  initial: initialWorkflow,
  evolve: (state, event) => foldWith(workflowHandlers.get(canonicalType(event.type)), state, event),
  encode: encodeWorkflow,
  // Only values with a provenance come here: they are what encodeWorkflow wrote.
  decode: (value) => decodeWorkflow(value as WorkflowValue),
});
