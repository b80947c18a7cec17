import { dictionary, nestedText, parseNested, type Stored, undictionary } from "./payload.ts";
import { decodeTally } from "./tally.ts";
import type { WorkflowState, WorkItem } from "./workflow-state.ts";

export type WorkflowValue = Stored<ReturnType<typeof encodeWorkflow>>;
type ItemValue = ReturnType<typeof encodeItem> & { readonly step_id?: string | null };

/** The entry's value. All that later events depend on is in it. */
export function encodeWorkflow(state: WorkflowState) {
  return {
    workflow_id: state.workflow_id,
    name: state.name,
    description: state.description,
    metadata: parseNested(state.metadata),
    created_by: state.created_by,
    status: state.status,
    reason: state.reason,
    created_at: state.created_at,
    started_at: state.started_at,
    completed_at: state.completed_at,
    updated_at: state.updated_at,
    steps: dictionary(state.steps, encodeItem),
    tasks: dictionary(state.tasks, (task) => ({ ...encodeItem(task), step_id: task.step_id })),
    steps_by_status: countByStatus(state.steps),
    tasks_by_status: countByStatus(state.tasks),
    events: state.events,
    violations: state.violations,
    unknown_events: dictionary(state.unknown, (count) => count),
  };
}

function encodeItem(item: WorkItem) {
  return {
    name: item.name,
    description: item.description,
    type: item.type,
    status: item.status,
    dependencies: item.dependencies ?? [],
    assignee: item.assignee,
    estimated_duration_minutes: item.estimated_duration_minutes,
    config: parseNested(item.config),
    reason: item.reason,
    added_at: item.added_at,
    started_at: item.started_at,
    completed_at: item.completed_at,
  };
}

/** Statuses are words of this package's own, never input. */
function countByStatus(items: ReadonlyMap<string, WorkItem>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of items.values()) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

export function decodeWorkflow(value: WorkflowValue): WorkflowState {
  return {
    workflow_id: value.workflow_id,
    name: value.name,
    description: value.description,
    metadata: nestedText(value.metadata),
    created_by: value.created_by,
    status: value.status,
    reason: value.reason,
    created_at: value.created_at,
    started_at: value.started_at,
    completed_at: value.completed_at,
    steps: undictionary(value.steps, decodeItem),
    tasks: undictionary(value.tasks, decodeItem),
    ...decodeTally(value),
  };
}

function decodeItem(item: ItemValue): WorkItem {
  return { ...item, step_id: item.step_id ?? null, config: nestedText(item.config) };
}
