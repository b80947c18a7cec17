import { compileProjection, type Projection, type ReplayEvent } from "@cim-replay/core";

export type Happening = readonly [type: string, payload: unknown];

/** The n-th event of an aggregate "agg", n seconds into 2026. */
export function eventAt(n: number, [type, payload]: Happening): ReplayEvent {
  return {
    type,
    payload,
    aggregateId: "agg",
    aggregateType: null,
    domain: "test",
    timestamp: new Date(Date.UTC(2026, 0, 1) + n * 1_000).toISOString().replace(".000Z", "Z"),
    sequence: n + 1,
    streamSequence: n + 1,
    eventId: null,
    correlationId: null,
    causationId: null,
    metadata: {},
    headers: {},
  };
}

export function fold<State>(projection: Projection<State>, happenings: readonly Happening[], from?: State): State {
  const start = from ?? projection.initial("agg");
  return happenings.reduce((state, happening, n) => projection.evolve(state, eventAt(n, happening)), start);
}

/** The entry's value as a reader gets it. */
export function encoded<State>(projection: Projection<State>, state: State): Record<string, unknown> {
  return JSON.parse(compileProjection(projection as Projection).encode(state));
}
