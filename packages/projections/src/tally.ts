import type { ReplayEvent } from "@cim-replay/core";
import { undictionary } from "./payload.ts";

/** What every entry says of the events that made it. */
export interface Tally {
  events: number;
  /** Events that broke a rule of the domain (an edge to a node that is not there): they changed nothing else. */
  violations: number;
  /** Events of a type that the projection does not know, by type as written. Made when the first one comes. */
  unknown: Map<string, number> | null;
  updated_at: string | null;
}

/** Changes the state, or returns false where the event breaks a rule. Must throw before it changes anything. */
export type Handler<State> = (state: State, event: ReplayEvent) => boolean;

/** Runs the handler and keeps the tally. An event whose handler throws leaves the state as it was. */
export function foldWith<State extends Tally>(
  handler: Handler<State> | undefined,
  state: State,
  event: ReplayEvent,
): State {
  if (handler === undefined) {
    state.unknown ??= new Map();
    state.unknown.set(event.type, (state.unknown.get(event.type) ?? 0) + 1);
  } else if (handler(state, event)) {
    state.updated_at = event.timestamp;
  } else {
    state.violations++;
  }
  state.events++;
  return state;
}

/** The tally that an entry's value states. Unknown types are made when the first one comes, as while folding. */
export function decodeTally(value: {
  events: number;
  violations: number;
  updated_at: string | null;
  unknown_events: Readonly<Record<string, number>>;
}): Tally {
  const unknown = undictionary(value.unknown_events, (count) => count);
  return {
    events: value.events,
    violations: value.violations,
    unknown: unknown.size > 0 ? unknown : null,
    updated_at: value.updated_at,
  };
}
