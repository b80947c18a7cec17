import { UsageError } from "../errors.ts";

const PLACEHOLDERS = ["aggregate_id", "event_type", "aggregate_type"] as const;
export type Placeholder = (typeof PLACEHOLDERS)[number];

/** One token of a subject. */
export type Step =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "any" }
  | { readonly kind: "named"; readonly name: Placeholder };

/**
 * What may follow the last step. `{event_type}` at the end takes any number of tokens, and none where the step before it
 * varies: `events.graph.ID` is a subject of `events.graph.{aggregate_id}.{event_type}`. `>` takes one or more.
 */
export interface Tail {
  readonly isOptional: boolean;
  readonly name: "event_type" | null;
}

interface Template {
  readonly steps: readonly Step[];
  readonly tail: Tail | null;
}

/** Whether a text can be a token of a subject: no dot, wildcard, white space, control character or half surrogate pair. */
export function isLegalToken(text: string): boolean {
  return text !== "" && !/[.*>\s\p{Cc}\p{Cs}]/u.test(text);
}

/** Reads `events.{domain}.{aggregate_id}.{event_type}`. Throws UsageError where it is no template. */
export function parseTemplate(template: string, domain: string): Template {
  const refuse = (what: string) =>
    new UsageError(
      `Cannot use subject template "${template}" for domain ${domain}: ${what}. ` +
        "Write it like events.{domain}.{aggregate_id}.{event_type}, with * for a token and > for the rest.",
    );
  if (template.includes("{domain}") && !domain.split(".").every(isPlainToken)) {
    throw refuse("the domain's name cannot be part of a subject");
  }
  const tokens = template.replaceAll("{domain}", () => domain).split(".");
  const seen = new Set<string>();
  const steps: Step[] = [];
  for (const [index, token] of tokens.entries()) {
    const isLast = index === tokens.length - 1;
    if (token === ">") {
      if (!isLast) throw refuse("> stands before the end");
      return { steps, tail: { isOptional: false, name: null } };
    }
    const step = parseToken(token, refuse);
    if (step.kind === "named") {
      if (seen.has(step.name)) throw refuse(`{${step.name}} stands in it twice`);
      seen.add(step.name);
      if (isLast && step.name === "event_type") {
        const before = steps.at(-1)?.kind ?? "literal";
        return { steps, tail: { isOptional: before !== "literal", name: "event_type" } };
      }
    }
    steps.push(step);
  }
  return { steps, tail: null };
}

function parseToken(token: string, refuse: (what: string) => UsageError): Step {
  if (token === "*") return { kind: "any" };
  const named = /^\{([^{}]*)\}$/.exec(token)?.[1];
  if (named !== undefined) {
    const name = PLACEHOLDERS.find((placeholder) => placeholder === named);
    if (name === undefined) {
      throw refuse(
        `{${named}} is no name it knows ({domain}, ${PLACEHOLDERS.map((known) => `{${known}}`).join(", ")})`,
      );
    }
    return { kind: "named", name };
  }
  if (token === "") throw refuse("a token is empty");
  if (isLegalToken(token) && !isPlainToken(token)) throw refuse(`"${token}" mixes a name and other text in one token`);
  if (!isPlainToken(token)) throw refuse(`"${token}" is no token of a subject`);
  return { kind: "literal", text: token };
}

/** Legal, and no name in braces that somebody meant otherwise. */
function isPlainToken(text: string): boolean {
  return isLegalToken(text) && !/[{}]/.test(text);
}
