import {
  type CelContext,
  type CelEnvironment,
  compileExpression,
  type Expression,
  type ExpressionMistake,
  whyNotEvaluated,
} from "@cim-replay/filter";
import { plainLine, showCelValue } from "@cim-replay/filter";

/** Says what is wrong with one entry, in one line. Never throws. */
export type MessageTemplate = (context: CelContext) => string;

const MAX_SHOWN = 500;

/** Text with `{{ CEL }}` in it. Gives what is wrong with it instead, each mistake with its place in the text. */
export function compileMessage(environment: CelEnvironment, text: string): MessageTemplate | ExpressionMistake[] {
  const parts: (string | Expression)[] = [];
  const mistakes: ExpressionMistake[] = [];
  for (let at = 0; at < text.length; ) {
    const open = text.indexOf("{{", at);
    parts.push(text.slice(at, open < 0 ? text.length : open));
    if (open < 0) break;
    const close = text.indexOf("}}", open + 2);
    if (close < 0) return [...mistakes, { message: "{{ is not closed by }}", offset: open }];
    const compiled = compileExpression(environment, text.slice(open + 2, close), null);
    if (typeof compiled === "function") parts.push(compiled);
    else mistakes.push({ ...compiled, offset: open + 2 + compiled.offset });
    at = close + 2;
  }
  return mistakes.length > 0 ? mistakes : (context) => render(parts, context);
}

/** The texts between `{{` and `}}`. */
export function expressionsIn(text: string): readonly string[] {
  return [...text.matchAll(/\{\{([\s\S]*?)\}\}/g)].map(([, expression]) => expression ?? "");
}

function render(parts: readonly (string | Expression)[], context: CelContext): string {
  const text = parts.map((part) => (typeof part === "string" ? part : shown(part, context))).join("");
  const line = plainLine(text.replace(/\s+/g, " ").trim());
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line;
}

function shown(expression: Expression, context: CelContext): string {
  try {
    return showCelValue(expression(context));
  } catch (error) {
    return `(${whyNotEvaluated(error)})`;
  }
}
