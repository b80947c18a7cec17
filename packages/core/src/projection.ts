import type { ReplayEvent } from "./event.ts";

/**
 * How one aggregate's events become one entry. Pure: no clock, no randomness, no I/O.
 * `evolve` may change and return the state it was given. `encode` gives the value that is stored (default: the state
 * itself), written as canonical JSON.
 */
export interface Projection<State = unknown> {
  readonly name: string;
  /** Domains it is meant for; absent: any. */
  readonly domains?: readonly string[];
  initial(aggregateId: string): State;
  evolve(state: State, event: ReplayEvent): State;
  /** By event type as written; aliases of the type match as well. Gets the payload, returns the one `evolve` shall see. */
  readonly upcast?: Readonly<Record<string, (payload: unknown, event: ReplayEvent) => unknown>>;
  encode?(state: State): unknown;
  /** The state that `encode` gave this value for; needed with `encode` by runs that go on from entries (`--from-seq`). */
  decode?(value: unknown): State;
}

/** Gives a projection its types. A plain object of the same shape as default export works as well. */
export function defineProjection<State>(projection: Projection<State>): Projection<State> {
  return projection;
}

/** Which projection a run uses, pinned in its record: workers refuse to run another than this. */
export interface ProjectionRef {
  readonly name: string;
  /** A built-in by name, or a user's file by absolute path. */
  readonly source: "builtin" | "file";
  readonly path: string | null;
  /** Of the file's bytes; of name and version for a built-in. Lower-case hex. */
  readonly sha256: string;
}
