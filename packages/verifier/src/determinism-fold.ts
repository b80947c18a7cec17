import { hash } from "node:crypto";
import { deserialize, serialize } from "node:v8";
import { type CompiledProjection, type DomainCodec, errorMessage, isMalformed } from "@cim-replay/core";
import type { SampledAggregate } from "./determinism-sample.ts";
import { turnsOf, type Way } from "./determinism-ways.ts";
import { watched } from "./determinism-watch.ts";

export interface FoldTools {
  readonly projection: CompiledProjection;
  readonly codec: DomainCodec;
}

/** What one aggregate's events came to. */
export interface Folded {
  /** Canonical JSON of the value; null where an event was refused, or the value has no such form. */
  readonly text: string | null;
  /** The event that was refused, and why; its sequence is null where the value was. */
  readonly refused: { readonly seq: number | null; readonly reason: string } | null;
  /** Where asked for: the value's hash after each event. */
  readonly trace: readonly { readonly seq: number; readonly type: string; readonly hash: string }[];
}

/** Where in the projection something was asked of the world. */
export interface Place {
  readonly aggregateId: string;
  /** Null in `initial` and `encode`. */
  readonly event: { readonly type: string; readonly seq: number } | null;
  readonly step: "initial" | "evolve" | "encode";
}

export type OnUse = (what: string, place: Place) => void;

/**
 * Folds a sample in one way, each event decoded anew: what `evolve` did to a payload must not reach the next fold. `traced`:
 * positions of the aggregates whose value is hashed after each event.
 */
export function foldSample(
  sample: readonly SampledAggregate[],
  way: Way,
  tools: FoldTools,
  { onUse = () => undefined, traced = new Set() }: { onUse?: OnUse; traced?: ReadonlySet<number> },
): Folded[] {
  const folds = sample.map((aggregate, i) => new AggregateFold(aggregate, tools, traced.has(i)));
  let current: AggregateFold | undefined;
  return watched(
    () => {
      for (const { aggregate, endsBatch } of turnsOf(way, sample)) {
        current = folds[aggregate];
        current?.takeNext();
        if (way.packs && endsBatch) current?.pack();
      }
      return folds.map((fold) => {
        current = fold;
        return fold.end();
      });
    },
    { onUse: (what) => current && onUse(what, current.place), isShifted: way.isShifted },
  );
}

class AggregateFold {
  place: Place;
  readonly #aggregate: SampledAggregate;
  readonly #tools: FoldTools;
  readonly #isTraced: boolean;
  readonly #trace: { seq: number; type: string; hash: string }[] = [];
  #at = 0;
  /** Undefined before the first event; no state is. */
  #state: unknown;
  #refused: Folded["refused"] = null;

  constructor(aggregate: SampledAggregate, tools: FoldTools, isTraced: boolean) {
    this.#aggregate = aggregate;
    this.#tools = tools;
    this.#isTraced = isTraced;
    this.place = { aggregateId: aggregate.id, event: null, step: "initial" };
  }

  /** What cannot be decoded is left out; nothing is folded behind what `evolve` refused, as its state may be half changed. */
  takeNext(): void {
    const message = this.#aggregate.messages[this.#at++];
    if (message === undefined || this.#refused) return;
    const { projection, codec } = this.#tools;
    const event = codec.decode(message, codec.route(message.subject) ?? null);
    if (isMalformed(event)) return;
    const { id: aggregateId } = this.#aggregate;
    try {
      this.place = { aggregateId, event: null, step: "initial" };
      this.#state ??= projection.initial(event.aggregateId);
      this.place = { aggregateId, event: { type: event.type, seq: message.seq }, step: "evolve" };
      this.#state = projection.apply(this.#state, event);
    } catch (error) {
      this.#refused = { seq: message.seq, reason: errorMessage(error) };
      return;
    }
    if (this.#isTraced) this.#trace.push({ seq: message.seq, type: event.type, hash: this.#hash() });
  }

  /**
   * With Node's own structured clone: it keeps what a worker's checkpoints keep (plain objects, arrays, Maps, Sets, Dates,
   * scalars) and loses what they refuse, classes and functions. It also loses that an object has no prototype.
   */
  pack(): void {
    if (this.#state === undefined || this.#refused) return;
    try {
      this.#state = deserialize(serialize(this.#state));
    } catch (error) {
      const seq = this.#aggregate.messages[this.#at - 1]?.seq ?? null;
      this.#refused = { seq, reason: `the state cannot be packed: ${errorMessage(error)}` };
    }
  }

  end(): Folded {
    const trace = this.#trace;
    if (this.#refused || this.#state === undefined) return { text: null, refused: this.#refused, trace };
    this.place = { aggregateId: this.#aggregate.id, event: null, step: "encode" };
    try {
      return { text: this.#tools.projection.encode(this.#state), refused: null, trace };
    } catch (error) {
      return { text: null, refused: { seq: null, reason: errorMessage(error) }, trace };
    }
  }

  #hash(): string {
    try {
      return hash("sha256", this.#tools.projection.encode(this.#state));
    } catch (error) {
      return errorMessage(error);
    }
  }
}
