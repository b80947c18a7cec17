import { defineProjection, type ReplayEvent } from "@cim-replay/core";

interface AggregateState {
  readonly aggregate_id: string;
  domain: string | null;
  aggregate_type: string | null;
  events: number;
  first_event_type: string | null;
  first_event_at: string | null;
  last_event_type: string | null;
  last_event_at: string | null;
  last_sequence: number | null;
  /** The latest texts of these names that a payload held. */
  name: string | null;
  status: string | null;
}

/** What can be said of an aggregate of any domain: how many events, from which to which. Flat, and small for ever. */
export const aggregate = defineProjection<AggregateState>({
  name: "aggregate",
  initial: (aggregateId) => ({
    aggregate_id: aggregateId,
    domain: null,
    aggregate_type: null,
    events: 0,
    first_event_type: null,
    first_event_at: null,
    last_event_type: null,
    last_event_at: null,
    last_sequence: null,
    name: null,
    status: null,
  }),
  evolve(state, event) {
    if (state.events === 0) {
      state.domain = event.domain;
      state.first_event_type = event.type;
      state.first_event_at = event.timestamp;
    }
    state.events++;
    state.aggregate_type = event.aggregateType ?? state.aggregate_type;
    state.last_event_type = event.type;
    state.last_event_at = event.timestamp;
    state.last_sequence = event.sequence ?? state.last_sequence;
    copyTexts(state, event);
    return state;
  },
});

function copyTexts(state: AggregateState, { payload }: ReplayEvent): void {
  if (typeof payload !== "object" || payload === null) return;
  if ("name" in payload && typeof payload.name === "string") state.name = payload.name;
  if ("status" in payload && typeof payload.status === "string") state.status = payload.status;
}
