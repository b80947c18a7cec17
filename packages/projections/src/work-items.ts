import type { ReplayEvent } from "@cim-replay/core";
import { idOf, nestedText, numberOf, type Payload, payloadOf, requireId, textOf } from "./payload.ts";
import { moveTo, STATUS_OF_VERB } from "./progress.ts";
import type { Handler } from "./tally.ts";
import { newWorkItem, type WorkflowState, type WorkItem } from "./workflow-state.ts";

/** Where the items of a kind are, what names one, and which verbs may be the first that is heard of one. */
interface ItemKind {
  readonly items: (state: WorkflowState) => Map<string, WorkItem>;
  readonly idFields: readonly string[];
  readonly firstVerbs: readonly string[];
}

const ADDING_VERBS = ["added", "created", "defined"];
const STEP: ItemKind = { items: (state) => state.steps, idFields: ["step_id"], firstVerbs: [] };
/** Some producers announce a task only by giving it to somebody. */
const TASK: ItemKind = {
  items: (state) => state.tasks,
  idFields: ["task_id"],
  firstVerbs: ["assigned", "scheduled", "queued", "ready", "started"],
};

export const itemHandlers: readonly (readonly [string, Handler<WorkflowState>])[] = [
  ...handlersOf("step", STEP),
  ...handlersOf("task", TASK),
];

function handlersOf(prefix: string, kind: ItemKind): [string, Handler<WorkflowState>][] {
  const moves = [...STATUS_OF_VERB].map(([verb, status]): [string, Handler<WorkflowState>] => [
    prefix + verb,
    (state, event) => changeItem(kind, state, event, status, kind.firstVerbs.includes(verb)),
  ]);
  const changes = ["updated", "assigned", "reassigned"].map((verb): [string, Handler<WorkflowState>] => [
    prefix + verb,
    (state, event) => changeItem(kind, state, event, null, kind.firstVerbs.includes(verb)),
  ]);
  return [
    ...moves,
    ...changes,
    ...ADDING_VERBS.map((verb): [string, Handler<WorkflowState>] => [
      prefix + verb,
      (state, event) => addItem(kind, state, event),
    ]),
    [`${prefix}unassigned`, (state, event) => unassignItem(kind, state, event)],
    [`${prefix}removed`, (state, event) => removeItem(kind, state, event)],
    [`${prefix}deleted`, (state, event) => removeItem(kind, state, event)],
  ];
}

function addItem(kind: ItemKind, state: WorkflowState, event: ReplayEvent): boolean {
  const payload = payloadOf(event);
  const id = requireId(event, payload, kind.idFields);
  const items = kind.items(state);
  if (items.has(id)) return false;
  const item = newWorkItem(event.timestamp);
  describeItem(item, payload, kind, event);
  items.set(id, item);
  return true;
}

function changeItem(
  kind: ItemKind,
  state: WorkflowState,
  event: ReplayEvent,
  status: string | null,
  mayAdd: boolean,
): boolean {
  const payload = payloadOf(event);
  const id = requireId(event, payload, kind.idFields);
  const items = kind.items(state);
  const item = items.get(id) ?? (mayAdd ? newWorkItem(event.timestamp) : undefined);
  if (item === undefined) return false;
  describeItem(item, payload, kind, event);
  if (status !== null) moveTo(item, status, payload, event);
  items.set(id, item);
  return true;
}

function unassignItem(kind: ItemKind, state: WorkflowState, event: ReplayEvent): boolean {
  const item = kind.items(state).get(requireId(event, payloadOf(event), kind.idFields));
  if (item === undefined) return false;
  item.assignee = null;
  return true;
}

function removeItem(kind: ItemKind, state: WorkflowState, event: ReplayEvent): boolean {
  return kind.items(state).delete(requireId(event, payloadOf(event), kind.idFields));
}

/** What can fail comes first: an event that cannot be folded must change nothing. */
function describeItem(item: WorkItem, payload: Payload, kind: ItemKind, event: ReplayEvent): void {
  const dependencies = dependenciesOf(payload, event) ?? item.dependencies;
  item.config = nestedText(payload.config) ?? item.config;
  item.dependencies = dependencies;
  item.name = textOf(payload.name) ?? item.name;
  item.description = textOf(payload.description) ?? item.description;
  item.type = textOf(payload.step_type) ?? textOf(payload.task_type) ?? item.type;
  item.assignee = idOf(payload.assigned_to) ?? idOf(payload.assignee) ?? item.assignee;
  item.estimated_duration_minutes = numberOf(payload.estimated_duration_minutes) ?? item.estimated_duration_minutes;
  if (kind === TASK) item.step_id = idOf(payload.step_id) ?? item.step_id;
}

function dependenciesOf(payload: Payload, event: ReplayEvent): string[] | null {
  if (!Array.isArray(payload.dependencies)) return null;
  return payload.dependencies.map((value: unknown, i) => {
    const id = idOf(value);
    if (id === null) throw new Error(`${event.type} cannot be folded: its payload's dependencies[${i}] is no id.`);
    return id;
  });
}
