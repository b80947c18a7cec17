import { type CelContext, whyNotEvaluated } from "@cim-replay/filter";
import type { Collected } from "./rule.ts";

type Gathered = bigint | number | string;

/** One collected value, entry by entry: one value in memory, however many entries there are. */
export class Accumulator {
  readonly #collected: Collected;
  #value: Gathered | null;

  constructor(collected: Collected) {
    this.#collected = collected;
    this.#value = collected.how === "count" || collected.how === "sum" ? 0n : null;
  }

  get name(): string {
    return this.#collected.name;
  }

  /** The least and the greatest of nothing are null. */
  get value(): Gathered | null {
    return this.#value;
  }

  /** Says why where the entry's part cannot be told. */
  take(context: CelContext): string | null {
    const { name, of, where } = this.#collected;
    try {
      if (where !== null && !isTrue(where(context))) return null;
      this.#add(of(context));
      return null;
    } catch (error) {
      return `${name}: ${whyNotEvaluated(error)}`;
    }
  }

  #add(value: unknown): void {
    const { how } = this.#collected;
    if (how === "count") {
      if (isTrue(value)) this.#value = BigInt(this.#value ?? 0) + 1n;
      return;
    }
    // What is not there takes no part.
    if (value === null) return;
    if (how === "sum") this.#value = sum(numberOf(this.#value ?? 0n), numberOf(value));
    else this.#value = this.#value === null ? comparable(value) : extreme(how, this.#value, comparable(value));
  }
}

function sum(a: bigint | number, b: bigint | number): bigint | number {
  return typeof a === "bigint" && typeof b === "bigint" ? a + b : Number(a) + Number(b);
}

function extreme(how: "min" | "max", a: Gathered, b: Gathered): Gathered {
  if ((typeof a === "string") !== (typeof b === "string")) {
    throw new Error("texts and numbers cannot be compared");
  }
  return (how === "min" ? b < a : b > a) ? b : a;
}

function isTrue(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new Error(`gave ${describe(value)}, not true or false`);
}

function numberOf(value: unknown): bigint | number {
  if (typeof value === "bigint" || typeof value === "number") return value;
  throw new Error(`gave ${describe(value)}, not a number`);
}

function comparable(value: unknown): Gathered {
  if (typeof value === "string") return value;
  return numberOf(value);
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (value instanceof Map) return "a map";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
