import type { Tally } from "./tally.ts";

/** Flat, and in Maps, as the graph's is. */
export interface WorkflowState extends Tally {
  readonly workflow_id: string;
  name: string | null;
  description: string | null;
  /** JSON text. */
  metadata: string | null;
  created_by: string | null;
  /** Null until an event says. */
  status: string | null;
  /** Why it failed, was cancelled, paused …, where the event says. */
  reason: string | null;
  created_at: string | null;
  started_at: string | null;
  completed_at: string | null;
  readonly steps: Map<string, WorkItem>;
  readonly tasks: Map<string, WorkItem>;
}

/** A step or a task. */
export interface WorkItem {
  name: string | null;
  description: string | null;
  type: string | null;
  status: string;
  dependencies: string[] | null;
  assignee: string | null;
  /** The step that a task belongs to. */
  step_id: string | null;
  estimated_duration_minutes: number | null;
  /** JSON text. */
  config: string | null;
  reason: string | null;
  added_at: string;
  started_at: string | null;
  completed_at: string | null;
}

export function initialWorkflow(workflowId: string): WorkflowState {
  return {
    workflow_id: workflowId,
    name: null,
    description: null,
    metadata: null,
    created_by: null,
    status: null,
    reason: null,
    created_at: null,
    started_at: null,
    completed_at: null,
    updated_at: null,
    steps: new Map(),
    tasks: new Map(),
    events: 0,
    violations: 0,
    unknown: null,
  };
}

export function newWorkItem(addedAt: string): WorkItem {
  return {
    name: null,
    description: null,
    type: null,
    status: "pending",
    dependencies: null,
    assignee: null,
    step_id: null,
    estimated_duration_minutes: null,
    config: null,
    reason: null,
    added_at: addedAt,
    started_at: null,
    completed_at: null,
  };
}
