import type { AggregateModel } from "./aggregate-model.ts";
import { GraphModel } from "./graph-model.ts";
import { PersonModel } from "./person-model.ts";
import { PlainModel } from "./plain-model.ts";
import type { Random } from "./random.ts";
import { WorkflowModel } from "./workflow-model.ts";
import { zipfPicker } from "./zipf.ts";

export interface Aggregate {
  readonly id: string;
  readonly model: AggregateModel;
  readonly mayEnd: boolean;
  /** Of its last event; 0 before the first. */
  sequence: number;
  lastCid: string | null;
  ended: boolean;
}

/** A live aggregate may end only after so many events: short lives would leave too little to fold. */
export const SHORTEST_LIFE = 8;

/** One domain's aggregates, and which of them has the next event. */
export class DomainSource {
  readonly domain: string;
  /** "Graph" for "graph". */
  readonly noun: string;
  eventsLeft: number;
  readonly #aggregates: (Aggregate | undefined)[];
  readonly #pickIndex: (random: Random) => number;
  #unborn: number;
  #firstUnborn = 0;

  constructor(domain: string, events: number, aggregates: number, skew: number) {
    this.domain = domain;
    this.noun = domain.charAt(0).toUpperCase() + domain.slice(1);
    this.eventsLeft = events;
    this.#unborn = aggregates;
    this.#aggregates = new Array<Aggregate | undefined>(aggregates).fill(undefined);
    this.#pickIndex = zipfPicker(aggregates, skew);
  }

  /** Births are spread over the stream, denser at its beginning, and all done before the domain's events run out. */
  nextIsBirth(random: Random): boolean {
    return random.below(this.eventsLeft) < 2 * this.#unborn;
  }

  bear(random: Random): Aggregate {
    while (this.#aggregates[this.#firstUnborn]) this.#firstUnborn++;
    return this.#at(this.#firstUnborn, random);
  }

  /** By skew; one that has ended gives its place to the next. The first never ends. */
  pick(random: Random): Aggregate {
    let index = this.#pickIndex(random);
    while (this.#aggregates[index]?.ended) index = (index + 1) % this.#aggregates.length;
    return this.#at(index, random);
  }

  #at(index: number, random: Random): Aggregate {
    const known = this.#aggregates[index];
    if (known) return known;
    const id = random.uuid();
    const model = this.#newModel(id);
    const born: Aggregate = { id, model, mayEnd: index > 0, sequence: 0, lastCid: null, ended: false };
    this.#aggregates[index] = born;
    this.#unborn--;
    return born;
  }

  #newModel(id: string): AggregateModel {
    if (this.domain === "graph") return new GraphModel(id);
    if (this.domain === "workflow") return new WorkflowModel(id);
    if (this.domain === "person") return new PersonModel(id);
    return new PlainModel(this.noun);
  }
}
