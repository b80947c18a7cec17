import { describe, expect, it } from "vitest";
import { encoded, fold } from "./fold.fixture.ts";
import { workflow } from "./workflow.ts";

const step = (step_id: string, more = {}) => ["StepAdded", { workflow_id: "w", step_id, ...more }] as const;

describe("the workflow projection", () => {
  it("makes one document of a workflow's events", () => {
    const state = fold(workflow, [
      [
        "WorkflowCreated",
        { workflow_id: "w", name: "Onboarding", description: "d", metadata: { v: 1 }, created_by: "ann" },
      ],
      step("s1", {
        name: "Contract",
        step_type: "manual",
        assigned_to: "bob",
        estimated_duration_minutes: 30,
        config: { a: 1 },
      }),
      step("s2", { dependencies: ["s1", { id: "s0" }] }),
      ["WorkflowStarted", {}],
      ["StepStarted", { step_id: "s1" }],
      ["TaskAssigned", { task_id: "t", step_id: "s1", assigned_to: "eve" }],
      ["step_completed", { step_id: "s1", completed_at: "2026-03-01T00:00:00Z" }],
      ["StepFailed", { step_id: "s2", error: "no paper" }],
      ["WorkflowPaused", { reason: "holiday" }],
    ]);
    expect(encoded(workflow, state)).toEqual({
      workflow_id: "agg",
      name: "Onboarding",
      description: "d",
      metadata: { v: 1 },
      created_by: "ann",
      status: "paused",
      reason: "holiday",
      created_at: "2026-01-01T00:00:00Z",
      started_at: "2026-01-01T00:00:03Z",
      completed_at: null,
      updated_at: "2026-01-01T00:00:08Z",
      steps: {
        s1: {
          name: "Contract",
          description: null,
          type: "manual",
          status: "completed",
          dependencies: [],
          assignee: "bob",
          estimated_duration_minutes: 30,
          config: { a: 1 },
          reason: null,
          added_at: "2026-01-01T00:00:01Z",
          started_at: "2026-01-01T00:00:04Z",
          completed_at: "2026-03-01T00:00:00Z",
        },
        s2: {
          name: null,
          description: null,
          type: null,
          status: "failed",
          dependencies: ["s1", "s0"],
          assignee: null,
          estimated_duration_minutes: null,
          config: {},
          reason: "no paper",
          added_at: "2026-01-01T00:00:02Z",
          started_at: null,
          completed_at: null,
        },
      },
      tasks: { t: expect.objectContaining({ status: "pending", assignee: "eve", step_id: "s1" }) },
      steps_by_status: { completed: 1, failed: 1 },
      tasks_by_status: { pending: 1 },
      events: 9,
      violations: 0,
      unknown_events: {},
    });
  });

  it.each([
    ["Started", "running"],
    ["Completed", "completed"],
    ["Failed", "failed"],
    ["Cancelled", "cancelled"],
    ["Canceled", "cancelled"],
    ["Paused", "paused"],
    ["Resumed", "running"],
    ["Skipped", "skipped"],
    ["TimedOut", "timed_out"],
    ["Blocked", "blocked"],
  ])("moves workflow, step and task by …%s to %s", (verb, status) => {
    const state = fold(workflow, [
      step("s"),
      ["TaskCreated", { task_id: "t" }],
      [`Workflow${verb}`, {}],
      [`Step${verb}`, { step_id: "s" }],
      [`Task${verb}`, { task_id: "t" }],
    ]);
    expect(encoded(workflow, state)).toMatchObject({
      status,
      steps: { s: { status } },
      tasks: { t: { status } },
      violations: 0,
      unknown_events: {},
    });
  });

  it("keeps the first start, and drops the completion of what is started again", () => {
    const state = fold(workflow, [
      ["WorkflowStarted", {}],
      ["WorkflowCompleted", {}],
      ["WorkflowResumed", {}],
    ]);
    expect(encoded(workflow, state)).toMatchObject({
      started_at: "2026-01-01T00:00:00Z",
      completed_at: null,
      status: "running",
    });
  });

  it("unassigns and removes", () => {
    const state = fold(workflow, [
      step("s", { assigned_to: "bob" }),
      ["StepUnassigned", { step_id: "s" }],
      ["TaskAdded", { task_id: "t" }],
      ["TaskRemoved", { task_id: "t" }],
    ]);
    expect(encoded(workflow, state)).toMatchObject({ steps: { s: { assignee: null } }, tasks: {}, violations: 0 });
  });

  it("counts events that break a rule and types it does not know", () => {
    const state = fold(workflow, [
      ["WorkflowCreated", {}],
      ["WorkflowCreated", { name: "again" }],
      ["StepCompleted", { step_id: "nowhere" }],
      ["StepRemoved", { step_id: "nowhere" }],
      ["TaskCompleted", { task_id: "nowhere" }],
      step("s"),
      step("s"),
      ["StepDreamed", { step_id: "s" }],
      ["Coffee", null],
    ]);
    expect(encoded(workflow, state)).toMatchObject({
      name: null,
      steps: { s: { status: "pending" } },
      tasks: {},
      events: 9,
      violations: 5,
      unknown_events: { Coffee: 1, StepDreamed: 1 },
    });
  });

  it.each([
    ["StepAdded", {}, "no step_id"],
    ["TaskStarted", {}, "no task_id"],
    ["WorkflowPaused", "soon", "its payload is a string"],
    ["StepUpdated", { step_id: "s", name: "changed", dependencies: ["a", null] }, "dependencies[1] is no id"],
  ])("refuses %s with %o and stays as it was", (type, payload, message) => {
    const state = fold(workflow, [step("s")]);
    const before = encoded(workflow, state);
    expect(() => fold(workflow, [[type, payload]], state)).toThrow(message);
    expect(encoded(workflow, state)).toEqual(before);
  });
});
