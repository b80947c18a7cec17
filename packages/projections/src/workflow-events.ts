import type { ReplayEvent } from "@cim-replay/core";
import { idOf, nestedText, type Payload, payloadOf, textOf } from "./payload.ts";
import { moveTo, STATUS_OF_VERB } from "./progress.ts";
import type { Handler } from "./tally.ts";
import { itemHandlers } from "./work-items.ts";
import type { WorkflowState } from "./workflow-state.ts";

/** By canonical type. In an update a field that is absent or null leaves what there is. */
export const workflowHandlers: ReadonlyMap<string, Handler<WorkflowState>> = new Map([
  ...[...STATUS_OF_VERB].map(([verb, status]): [string, Handler<WorkflowState>] => [
    `workflow${verb}`,
    (state, event) => moveWorkflow(state, event, status),
  ]),
  ["workflowcreated", createWorkflow],
  ["workflowdefined", createWorkflow],
  ["workflowupdated", updateWorkflow],
  ...itemHandlers,
]);

function createWorkflow(state: WorkflowState, event: ReplayEvent): boolean {
  if (state.created_at !== null) return false;
  const payload = payloadOf(event);
  describeWorkflow(state, payload);
  state.created_at = textOf(payload.created_at) ?? event.timestamp;
  state.status ??= "created";
  return true;
}

function updateWorkflow(state: WorkflowState, event: ReplayEvent): boolean {
  describeWorkflow(state, payloadOf(event));
  return true;
}

function moveWorkflow(state: WorkflowState, event: ReplayEvent, status: string): boolean {
  moveTo(state, status, payloadOf(event), event);
  return true;
}

function describeWorkflow(state: WorkflowState, payload: Payload): void {
  state.metadata = nestedText(payload.metadata) ?? state.metadata;
  state.name = textOf(payload.name) ?? state.name;
  state.description = textOf(payload.description) ?? state.description;
  state.created_by = idOf(payload.created_by) ?? state.created_by;
}
