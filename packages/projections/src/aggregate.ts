import { defineProjection, type ReplayEvent } from "@cim-replay/core";

/** Types that are counted one by one; events of further ones are counted together. */
const MAX_TYPES = 32;

/** Flat and small whatever the domain. `type_counts[i]` belongs to `types[i]`: few enough to be searched in order. */
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
  readonly types: string[];
  readonly type_counts: number[];
  other_types: number;
}

/** What can be said of an aggregate of any domain: how many events of which types, from when to when. */
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
    types: [],
    type_counts: [],
    other_types: 0,
  }),
  evolve(state, event) {
    if (state.events === 0) {
      state.domain = event.domain;
      state.first_event_type = event.type;
      state.first_event_at = event.timestamp;
    }
    state.events++;
    state.aggregate_type = event.aggregateType ?? state.aggregate_type;
    state.last_event_type = countType(state, event.type);
    state.last_event_at = event.timestamp;
    state.last_sequence = event.sequence ?? state.last_sequence;
    copyTexts(state, event);
    return state;
  },
  encode: encodeAggregate,
  decode: (value) => {
    // Only values with a provenance come here: they are what encodeAggregate wrote.
    const { types, ...fields } = value as ReturnType<typeof encodeAggregate>;
    return { ...fields, types: Object.keys(types), type_counts: Object.values(types) };
  },
});

function encodeAggregate({ types, type_counts, ...fields }: AggregateState) {
  const counts = Object.create(null) as Record<string, number>;
  for (const [i, type] of types.entries()) counts[type] = type_counts[i] ?? 0;
  return { ...fields, types: counts };
}

/** Returns the type as it is kept already, so that an event's own copy of it is not kept too. */
function countType(state: AggregateState, type: string): string {
  const at = state.types.indexOf(type);
  if (at !== -1) {
    state.type_counts[at] = (state.type_counts[at] ?? 0) + 1;
    return state.types[at] ?? type;
  }
  if (state.types.length < MAX_TYPES) {
    state.types.push(type);
    state.type_counts.push(1);
  } else {
    state.other_types++;
  }
  return type;
}

function copyTexts(state: AggregateState, { payload }: ReplayEvent): void {
  if (typeof payload !== "object" || payload === null) return;
  if ("name" in payload && typeof payload.name === "string") state.name = payload.name;
  if ("status" in payload && typeof payload.status === "string") state.status = payload.status;
}
