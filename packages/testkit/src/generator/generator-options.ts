import { UsageError } from "@cim-replay/core";

export interface GeneratorOptions {
  /** graph, workflow and person have events of their own; any other name works as well. */
  readonly domains: readonly string[];
  /** Of all domains together, split evenly. */
  readonly events: number;
  /** Of all domains together, split evenly. All of them have events where `events` allows. */
  readonly aggregates: number;
  /** Zipf's exponent of the events over a domain's aggregates; 0: uniform. */
  readonly skew: number;
  /** A safe whole number; the same options give the same bytes on every machine. */
  readonly seed: number;
  /**
   * Bytes that an event is filled up to; absent: as they come, about 600. Below 500 the envelope is lean (no
   * aggregate type, correlation, content ids or actor), which alone has about 320.
   */
  readonly eventBytes?: number;
}

const FULL_FORM_BYTES = 500;

export function isLean({ eventBytes }: GeneratorOptions): boolean {
  return eventBytes !== undefined && eventBytes < FULL_FORM_BYTES;
}

/** Throws UsageError naming every option that cannot be. */
export function checkGeneratorOptions(options: GeneratorOptions): void {
  const { domains, events, aggregates, skew, seed, eventBytes } = options;
  const wrong: string[] = [];
  if (domains.length === 0) wrong.push("no domain is given");
  if (new Set(domains).size < domains.length) wrong.push("a domain is given twice");
  for (const domain of domains) {
    if (!/^[A-Za-z0-9_-]+$/.test(domain)) wrong.push(`domain ${JSON.stringify(domain)} cannot be part of a subject`);
  }
  if (!Number.isSafeInteger(events) || events < 0) wrong.push(`events is ${events}`);
  if (!Number.isSafeInteger(aggregates) || aggregates < domains.length) {
    wrong.push(`aggregates is ${aggregates}, fewer than one for each domain`);
  }
  if (!(skew >= 0 && skew <= 10)) wrong.push(`skew is ${skew}, not between 0 and 10`);
  if (!Number.isSafeInteger(seed)) wrong.push(`seed is ${seed}, no whole number`);
  if (eventBytes !== undefined && !(eventBytes >= 1 && eventBytes <= 1_000_000)) {
    wrong.push(`event bytes is ${eventBytes}, not between 1 and 1000000`);
  }
  if (wrong.length > 0)
    throw new UsageError(`Cannot generate events: ${wrong.join("; ")}. See \`generate-events --help\`.`);
}
