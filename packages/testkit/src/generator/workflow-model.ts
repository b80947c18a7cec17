import type { AggregateModel, EventTime, NextEvent } from "./aggregate-model.ts";
import type { Random } from "./random.ts";
import { STEP_TYPES, TEAMS, TOPICS } from "./vocabulary.ts";

/**
 * A workflow's life: `new → created → running → completed`; `running ↔ paused`; `running → failed`. From completed and
 * failed it is started again, with all steps before it. Steps are done one after the other; a failed one is tried again.
 */
type WorkflowStage = "new" | "created" | "running" | "paused" | "completed" | "failed";

export class WorkflowModel implements AggregateModel {
  readonly #id: string;
  #stage: WorkflowStage = "new";
  #steps = 0;
  #stepsWanted = 0;
  /** Number of the step that is at work or next. */
  #step = 1;
  #stepStage: "waiting" | "running" | "failed" = "waiting";

  constructor(aggregateId: string) {
    this.#id = aggregateId;
  }

  next(random: Random, now: EventTime): NextEvent {
    if (this.#stage === "new") return this.#create(random, now);
    if (this.#stage === "created" && this.#steps < this.#stepsWanted) return this.#addStep(random);
    if (this.#stage === "paused") return this.#move("WorkflowResumed", "running");
    if (this.#stage !== "running") return this.#start(now);
    if (now.mayEnd && random.chance(1))
      return { ...this.#event("WorkflowCancelled", '"reason":"withdrawn"'), ends: true };
    if (random.chance(4)) return this.#move("WorkflowPaused", "paused");
    return this.#work(random, now);
  }

  #create(random: Random, { timestamp }: EventTime): NextEvent {
    this.#stage = "created";
    this.#stepsWanted = 2 + random.below(7);
    const topic = random.pick(TOPICS);
    return this.#event(
      "WorkflowCreated",
      `"name":"${topic} ${random.below(1_000)}","description":"Steps for the ${topic}","metadata":{},"created_by":"${random.pick(TEAMS)}","created_at":"${timestamp}"`,
    );
  }

  #addStep(random: Random): NextEvent {
    const step = ++this.#steps;
    const dependencies = step > 1 ? `["s${step - 1}"]` : "[]";
    return this.#event(
      "StepAdded",
      `"step_id":"s${step}","name":"${random.pick(TOPICS)} ${step}","step_type":"${random.pick(STEP_TYPES)}","config":{},"dependencies":${dependencies},"estimated_duration_minutes":${5 + random.below(120)},"assigned_to":"${random.pick(TEAMS)}"`,
    );
  }

  #start({ timestamp }: EventTime): NextEvent {
    this.#stage = "running";
    this.#step = 1;
    this.#stepStage = "waiting";
    return this.#event("WorkflowStarted", `"started_at":"${timestamp}"`);
  }

  #work(random: Random, { timestamp }: EventTime): NextEvent {
    if (this.#step > this.#steps) return this.#move("WorkflowCompleted", "completed");
    const step = this.#step;
    if (this.#stepStage === "failed" && random.chance(20)) return this.#move("WorkflowFailed", "failed");
    if (this.#stepStage !== "running") {
      this.#stepStage = "running";
      return this.#event("StepStarted", `"step_id":"s${step}","started_at":"${timestamp}"`);
    }
    if (random.chance(6)) {
      this.#stepStage = "failed";
      return this.#event("StepFailed", `"step_id":"s${step}","error":"no answer from ${random.pick(TEAMS)}"`);
    }
    this.#stepStage = "waiting";
    this.#step++;
    return this.#event("StepCompleted", `"step_id":"s${step}","completed_at":"${timestamp}"`);
  }

  #move(type: string, stage: WorkflowStage): NextEvent {
    this.#stage = stage;
    return { type, payload: `{"workflow_id":"${this.#id}"}` };
  }

  #event(type: string, fields: string): NextEvent {
    return { type, payload: `{"workflow_id":"${this.#id}",${fields}}` };
  }
}
