import type { RawSubject } from "../event.ts";
import { isLegalToken, parseTemplate, type Placeholder, type Step, type Tail } from "./template-syntax.ts";

const TAIL = -2;
const NOWHERE = -1;
const DOT = 46;

/** Of an aggregate's id within the bytes of a subject. */
export interface IdPlace {
  readonly at: number;
  readonly end: number;
}

/** A subject template of one domain, made ready: what it matches, what its tokens say, which filters cover it. */
export class SubjectTemplate {
  /** Literal tokens at the start, with their dots: most foreign subjects fail here. */
  readonly #prefix: string;
  readonly #steps: readonly Step[];
  readonly #tail: Tail | null;
  readonly #allSteps: readonly Step[];
  readonly #idStep: number;
  readonly #eventTypeStep: number;
  readonly #aggregateTypeStep: number;
  readonly #prefixBytes: Uint8Array;
  readonly #place = { at: 0, end: 0 };

  /** Throws UsageError where the template is none. */
  constructor(template: string, domain: string) {
    const { steps, tail } = parseTemplate(template, domain);
    this.#allSteps = steps;
    this.#tail = tail;
    let prefix = "";
    let literals = 0;
    for (const step of steps.slice(0, tail === null ? -1 : steps.length)) {
      if (step.kind !== "literal") break;
      prefix += `${step.text}.`;
      literals++;
    }
    this.#prefix = prefix;
    this.#prefixBytes = new TextEncoder().encode(prefix);
    this.#steps = steps.slice(literals);
    this.#idStep = this.#find("aggregate_id");
    this.#eventTypeStep = tail?.name === "event_type" ? TAIL : this.#find("event_type");
    this.#aggregateTypeStep = this.#find("aggregate_type");
  }

  get holdsIds(): boolean {
    return this.#idStep !== NOWHERE;
  }

  get holdsAggregateTypes(): boolean {
    return this.#aggregateTypeStep !== NOWHERE;
  }

  /** The subject's aggregate id; null where the template holds none; undefined where the subject does not match. */
  route(subject: string): string | null | undefined {
    return this.#match(subject, this.#idStep);
  }

  eventType(subject: string): string | null {
    return this.#eventTypeStep === NOWHERE ? null : (this.#match(subject, this.#eventTypeStep) ?? null);
  }

  aggregateType(subject: string): string | null {
    return this.#aggregateTypeStep === NOWHERE ? null : (this.#match(subject, this.#aggregateTypeStep) ?? null);
  }

  /** The fewest subject filters that let through what matches, of all aggregates. They never overlap. */
  filters(): readonly string[] {
    return this.#filtersWith("*");
  }

  /** The filters of one aggregate; null where the subject does not hold ids, or cannot hold this one. */
  filtersOf(aggregateId: string): readonly string[] | null {
    return this.holdsIds && isLegalToken(aggregateId) ? this.#filtersWith(aggregateId) : null;
  }

  /** The token at `wanted` (null where that is nowhere), or undefined where the subject does not match. Hot. */
  #match(subject: string, wanted: number): string | null | undefined {
    if (!subject.startsWith(this.#prefix)) return undefined;
    let start = this.#prefix.length;
    let found: string | null = null;
    const steps = this.#steps;
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i] as Step;
      const dot = subject.indexOf(".", start);
      const end = dot === -1 ? subject.length : dot;
      if (end <= start) return undefined;
      if (step.kind === "literal" && !(end - start === step.text.length && subject.startsWith(step.text, start))) {
        return undefined;
      }
      if (i === wanted) found = subject.slice(start, end);
      start = end + 1;
    }
    return this.#matchTail(subject, start, wanted, found);
  }

  /**
   * As `route`, for a subject in UTF-8: where its aggregate id begins and ends; undefined where the subject does not
   * match or the template holds no id. The place is the same object each time. Hot.
   */
  locate({ bytes, subjectAt, subjectEnd }: RawSubject): IdPlace | undefined {
    const prefix = this.#prefixBytes;
    let start = subjectAt + prefix.length;
    if (start > subjectEnd || this.#idStep === NOWHERE) return undefined;
    for (let i = 0; i < prefix.length; i++) if (bytes[subjectAt + i] !== prefix[i]) return undefined;
    const steps = this.#steps;
    for (let i = 0; i < steps.length; i++) {
      let end = start;
      while (end < subjectEnd && bytes[end] !== DOT) end++;
      if (end === start || start > subjectEnd || (steps[i] as Step).kind === "literal") return undefined;
      if (i === this.#idStep) {
        this.#place.at = start;
        this.#place.end = end;
      }
      start = end + 1;
    }
    const hasTail = start <= subjectEnd;
    const fits = hasTail ? this.#tail !== null && start < subjectEnd : this.#tail === null || this.#tail.isOptional;
    return fits ? this.#place : undefined;
  }

  /** `start` lies behind the dot after the last step; two behind the subject's end where there is no such dot. */
  #matchTail(subject: string, start: number, wanted: number, found: string | null): string | null | undefined {
    if (start > subject.length) return this.#tail === null || this.#tail.isOptional ? found : undefined;
    if (this.#tail === null || start === subject.length) return undefined;
    return wanted === TAIL ? subject.slice(start) : found;
  }

  #find(name: Placeholder): number {
    return this.#steps.findIndex((step) => step.kind === "named" && step.name === name);
  }

  #filtersWith(id: string): readonly string[] {
    const tokens = this.#allSteps.map((step) => {
      if (step.kind === "literal") return step.text;
      return step.kind === "named" && step.name === "aggregate_id" ? id : "*";
    });
    if (this.#tail === null) return [tokens.join(".")];
    const whole = [...tokens, ">"].join(".");
    if (!this.#tail.isOptional) return [whole];
    // One token or more is one token, or one and more behind it.
    return tokens.at(-1) === "*" ? [[...tokens.slice(0, -1), ">"].join(".")] : [tokens.join("."), whole];
  }
}
