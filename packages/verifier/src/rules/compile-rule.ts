import { type CelEnvironment, compileExpression, type Expression } from "@cim-replay/filter";
import { celEnvironment, isNameTaken } from "./cel.ts";
import { compileMessage, expressionsIn, type MessageTemplate } from "./message-template.ts";
import { type Collected, GATHERINGS, type Rule } from "./rule.ts";
import type { WrittenRule } from "./rules-schema.ts";

/** What is wrong, at which place in a file of rules, and at which character of the text there. */
export interface PlacedMistake {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly offset: number;
}

type WrittenCollected = NonNullable<WrittenRule["collect"]>[string];

/** A rule made ready, or everything that is wrong with its expressions. */
export function compileRule(written: WrittenRule): Rule | PlacedMistake[] {
  return new RuleCompiler(written).compile();
}

/** Goes on after a mistake, so that all are told at once. */
class RuleCompiler {
  readonly #written: WrittenRule;
  readonly #mistakes: PlacedMistake[] = [];

  constructor(written: WrittenRule) {
    this.#written = written;
  }

  compile(): Rule | PlacedMistake[] {
    const { name, description, scope, severity, when, condition, message } = this.#written;
    const collected = Object.entries(this.#written.collect ?? {});
    this.#checkNames(collected.map(([name]) => name));
    if (this.#mistakes.length > 0) return this.#mistakes;
    const environment = celEnvironment(
      scope,
      collected.map(([name]) => name),
    );
    const rule: Rule = {
      name,
      description: description ?? null,
      scope,
      severity,
      when: when === undefined ? null : this.#expression(environment, ["when"], when, "bool"),
      condition: this.#expression(environment, ["condition"], condition, "bool"),
      message: this.#message(environment, message),
      collect: collected.map(([name, given]) => this.#collected(name, given)),
      eventsAsked: scope === "counts" ? eventsAsked([when, condition, ...expressionsIn(message)].join(" ")) : "nothing",
    };
    return this.#mistakes.length > 0 ? this.#mistakes : rule;
  }

  #checkNames(names: readonly string[]): void {
    const { scope } = this.#written;
    if (scope === "entry" && names.length > 0) {
      this.#mistake(["collect"], "a rule over each entry collects nothing (scope: domain or counts does)");
    }
    for (const name of names) {
      if (isNameTaken(scope, name)) this.#mistake(["collect", name], "this name has a meaning already");
      else if (isReserved(name)) this.#mistake(["collect", name], "this is a word of CEL's");
    }
  }

  #collected(name: string, given: WrittenCollected): Collected {
    const path = ["collect", name];
    const how = GATHERINGS.find((gathering) => given[gathering] !== undefined) ?? "count";
    const environment = celEnvironment("entry");
    return {
      name,
      how,
      of: this.#expression(environment, [...path, how], given[how] ?? "", how === "count" ? "bool" : null),
      where: given.where === undefined ? null : this.#expression(environment, [...path, "where"], given.where, "bool"),
    };
  }

  #expression(environment: CelEnvironment, path: readonly string[], text: string, wanted: "bool" | null): Expression {
    const compiled = compileExpression(environment, text, wanted);
    if (typeof compiled === "function") return compiled;
    this.#mistake(path, compiled.message, compiled.offset);
    return () => null;
  }

  #message(environment: CelEnvironment, text: string): MessageTemplate {
    const compiled = compileMessage(environment, text);
    if (typeof compiled === "function") return compiled;
    for (const { message, offset } of compiled) this.#mistake(["message"], message, offset);
    return () => "";
  }

  #mistake(path: readonly PropertyKey[], message: string, offset = 0): void {
    this.#mistakes.push({ path, message, offset });
  }
}

/** By the names in the text. In doubt more is counted than is asked for: that costs time, and is never wrong. */
function eventsAsked(text: string): Rule["eventsAsked"] {
  if (!/\bevents\b/.test(text)) return "nothing";
  return /\bevents\b(?!\s*\.\s*total\b)/.test(text) ? "types" : "total";
}

/** Words that CEL keeps for itself are no names; asked of CEL, so that no list of them goes stale. */
function isReserved(name: string): boolean {
  try {
    return typeof compileExpression(celEnvironment("domain", [name]), name, null) !== "function";
  } catch {
    return true;
  }
}
