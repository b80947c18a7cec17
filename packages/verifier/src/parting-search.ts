import { type Difference, textOf, valueAt } from "./first-difference.ts";

/**
 * What can be proved of where a found value parts from the right one, out of the values that the fold goes through: the
 * event that the found one lacks, else the event since which they differ at the path. Holds sequences only.
 */
export class PartingSearch {
  readonly #difference: Difference;
  readonly #foundText: string;
  #whole: Agreement = { seq: null, nextSeq: null };
  #atPath: Agreement = { seq: null, nextSeq: null };
  #settledSeq: number | null = null;

  constructor(difference: Difference, foundText: string) {
    this.#difference = difference;
    this.#foundText = foundText;
  }

  /** Call with the value after each event, in order. */
  take(seq: number, text: string): void {
    const { path, expected, found } = this.#difference;
    this.#whole = after(this.#whole, seq, text === this.#foundText);
    const there = textOf(valueAt(JSON.parse(text), path));
    this.#atPath = after(this.#atPath, seq, there === found);
    this.#settledSeq = there === expected ? (this.#settledSeq ?? seq) : null;
  }

  result(): { sequence: number | null; text: string } {
    const { expected, found } = this.#difference;
    const texts = `${expected ?? "nothing"} was expected, ${found ?? "nothing"} is found`;
    const [whole, atPath] = [this.#whole, this.#atPath];
    if (whole.nextSeq !== null) {
      return {
        sequence: whole.nextSeq,
        text: `${texts}. It is the value after sequence ${whole.seq}; event ${whole.nextSeq} is the first that it lacks.`,
      };
    }
    if (atPath.nextSeq !== null) {
      return {
        sequence: atPath.nextSeq,
        text: `${texts}. The fold holds that up to sequence ${atPath.seq}, and not from event ${atPath.nextSeq} on.`,
      };
    }
    const since = this.#settledSeq;
    return { sequence: since, text: `${texts}. No event gives that; what is expected stands since event ${since}.` };
  }
}

/** The last event after which both agreed, and the first one behind it. */
interface Agreement {
  readonly seq: number | null;
  readonly nextSeq: number | null;
}

function after(before: Agreement, seq: number, agrees: boolean): Agreement {
  if (agrees) return { seq, nextSeq: null };
  return before.seq !== null && before.nextSeq === null ? { ...before, nextSeq: seq } : before;
}
