import type { GeneratedEvent } from "./generate-events.ts";

interface Payload {
  readonly [field: string]: unknown;
}

type Life = (type: string, payload: Payload) => boolean;

/** Follows every aggregate by rules of its own and throws at the first event that breaks one; returns the types seen. */
export function checkLives(events: Iterable<GeneratedEvent>): Set<string> {
  const lives = new Map<string, { follow: Life; sequence: number }>();
  const types = new Set<string>();
  for (const { domain, aggregateId, data } of events) {
    const event = JSON.parse(Buffer.from(data).toString()) as {
      sequence: number;
      event_type: string;
      payload: Payload;
    };
    const life = lives.get(aggregateId) ?? { follow: newLife(domain), sequence: 0 };
    lives.set(aggregateId, life);
    life.sequence++;
    if (event.sequence !== life.sequence) throw new Error(`${aggregateId}: ${event.sequence} for ${life.sequence}`);
    if (event.payload[`${domain}_id`] !== aggregateId) throw new Error(`${aggregateId}: payload of another`);
    if (!life.follow(event.event_type, event.payload)) {
      throw new Error(`${aggregateId} #${event.sequence}: ${event.event_type} ${JSON.stringify(event.payload)}`);
    }
    types.add(event.event_type);
  }
  return types;
}

function newLife(domain: string): Life {
  if (domain === "graph") return graphLife();
  return domain === "workflow" ? workflowLife() : personLife();
}

function graphLife(): Life {
  const nodes = new Set<unknown>();
  const edges = new Map<unknown, readonly unknown[]>();
  let stage: "none" | "live" | "archived" = "none";
  return (type, payload) => {
    if (stage === "none") {
      stage = "live";
      return type === "GraphCreated";
    }
    if (stage === "archived") return false;
    const { node_id, edge_id, source, target } = payload;
    switch (type) {
      case "NodeAdded":
        return !nodes.has(node_id) && nodes.add(node_id) !== undefined;
      case "NodeUpdated":
        return nodes.has(node_id);
      case "NodeRemoved":
        for (const [edge, ends] of edges) if (ends.includes(node_id)) edges.delete(edge);
        return nodes.delete(node_id);
      case "EdgeAdded":
        if (edges.has(edge_id) || source === target || !nodes.has(source) || !nodes.has(target)) return false;
        edges.set(edge_id, [source, target]);
        return true;
      case "EdgeUpdated":
        return edges.has(edge_id);
      case "EdgeRemoved":
        return edges.delete(edge_id);
      case "GraphArchived":
        stage = "archived";
        return true;
      default:
        return type === "GraphUpdated";
    }
  };
}

/** Which stage a workflow event leads to, and from which it may come. */
const WORKFLOW_STEPS: Readonly<Record<string, readonly [from: readonly string[], to: string]>> = {
  WorkflowCreated: [["none"], "created"],
  WorkflowStarted: [["created", "completed", "failed"], "running"],
  WorkflowPaused: [["running"], "paused"],
  WorkflowResumed: [["paused"], "running"],
  WorkflowCompleted: [["running"], "completed"],
  WorkflowFailed: [["running"], "failed"],
  WorkflowCancelled: [["running"], "cancelled"],
};

function workflowLife(): Life {
  let stage = "none";
  const steps = new Map<unknown, string>();
  const stepIs = (id: unknown, ...stages: string[]) => stages.includes(steps.get(id) ?? "none");
  const move = (id: unknown, to: string) => steps.set(id, to) !== undefined;
  return (type, payload) => {
    const id = payload.step_id;
    const change = WORKFLOW_STEPS[type];
    if (change) {
      if (!change[0].includes(stage)) return false;
      stage = change[1];
      if (type === "WorkflowStarted") for (const step of steps.keys()) steps.set(step, "waiting");
      return type !== "WorkflowCompleted" || [...steps.values()].every((step) => step === "completed");
    }
    if (type === "StepAdded") {
      const known = (payload.dependencies as unknown[]).every((step) => steps.has(step));
      return stage === "created" && known && stepIs(id, "none") && move(id, "waiting");
    }
    if (stage !== "running") return false;
    if (type === "StepStarted") return stepIs(id, "waiting", "failed") && move(id, "running");
    if (type === "StepCompleted") return stepIs(id, "running") && move(id, "completed");
    return type === "StepFailed" && stepIs(id, "running") && move(id, "failed");
  };
}

function personLife(): Life {
  let stage: "none" | "active" | "inactive" = "none";
  return (type) => {
    const before = stage;
    if (type === "PersonRegistered" || type === "PersonReactivated") stage = "active";
    if (type === "PersonDeactivated") stage = "inactive";
    if (type === "PersonRegistered") return before === "none";
    if (type === "PersonReactivated") return before === "inactive";
    return before === "active" && /^(PersonDeactivated|(Name|Email|Phone|Address)Updated)$/.test(type);
  };
}
