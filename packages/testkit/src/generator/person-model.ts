import { type AggregateModel, draw, type EventTime, type NextEvent } from "./aggregate-model.ts";
import type { Random } from "./random.ts";
import { CITIES, FAMILY_NAMES, GIVEN_NAMES, STREETS } from "./vocabulary.ts";

/** A person's life: registered first, then changes; deactivated only where active, and the other way round. */
export class PersonModel implements AggregateModel {
  readonly #id: string;
  #registered = false;
  #active = true;

  constructor(aggregateId: string) {
    this.#id = aggregateId;
  }

  next(random: Random, { timestamp }: EventTime): NextEvent {
    if (!this.#registered) {
      this.#registered = true;
      return this.#event("PersonRegistered", `${name(random)},${email(random)},"registered_at":"${timestamp}"`);
    }
    if (!this.#active) {
      this.#active = true;
      return this.#event("PersonReactivated", `"reactivated_at":"${timestamp}"`);
    }
    const type = draw(random, [
      ["EmailUpdated", 30],
      ["AddressUpdated", 30],
      ["PhoneUpdated", 20],
      ["NameUpdated", 15],
      ["PersonDeactivated", 5],
    ]);
    if (type === "EmailUpdated") return this.#event(type, email(random));
    if (type === "AddressUpdated") return this.#event(type, address(random));
    if (type === "PhoneUpdated") return this.#event(type, `"phone":"+44 20 ${1_000_000 + random.below(9_000_000)}"`);
    if (type === "NameUpdated") return this.#event(type, name(random));
    this.#active = false;
    return this.#event("PersonDeactivated", `"deactivated_at":"${timestamp}"`);
  }

  #event(type: string, fields: string): NextEvent {
    return { type, payload: `{"person_id":"${this.#id}",${fields}}` };
  }
}

function name(random: Random): string {
  return `"name":{"given":"${random.pick(GIVEN_NAMES)}","family":"${random.pick(FAMILY_NAMES)}"}`;
}

function email(random: Random): string {
  return `"email":"p${random.below(1_000_000)}@example.org"`;
}

function address(random: Random): string {
  return `"address":{"street":"${1 + random.below(200)} ${random.pick(STREETS)}","city":"${random.pick(CITIES)}"}`;
}
