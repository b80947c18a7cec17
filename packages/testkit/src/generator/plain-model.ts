import type { AggregateModel, EventTime, NextEvent } from "./aggregate-model.ts";
import type { Random } from "./random.ts";
import { TEAMS, TOPICS } from "./vocabulary.ts";

/** For a domain whose events have no shape here: created, then updated. `noun` begins its events' types. */
export class PlainModel implements AggregateModel {
  readonly #noun: string;
  #created = false;

  constructor(noun: string) {
    this.#noun = noun;
  }

  next(random: Random, { timestamp }: EventTime): NextEvent {
    const payload = `{"name":"${random.pick(TOPICS)} ${random.below(1_000)}","status":"${random.pick(TEAMS)}","changed_at":"${timestamp}"}`;
    const type = this.#created ? `${this.#noun}Updated` : `${this.#noun}Created`;
    this.#created = true;
    return { type, payload };
  }
}
