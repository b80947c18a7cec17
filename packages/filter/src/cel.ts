import { Environment, EvaluationError, ParseError, TypeError as CelTypeError } from "@marcbachmann/cel-js";
import { errorMessage } from "@cim-replay/core";

/** Values by name, as `celValue` makes them. */
export type CelContext = Readonly<Record<string, unknown>>;
/** A compiled expression. Throws where it cannot be evaluated, e.g. because a key is not there: see `whyNotEvaluated`. */
export type Expression = (context: CelContext) => unknown;

/** Why an expression cannot be used, and where in its text. */
export interface ExpressionMistake {
  readonly message: string;
  readonly offset: number;
}

/** What an expression may name and call. */
export type CelEnvironment = Environment;

/** Characters of one expression. */
export const MAX_EXPRESSION_LENGTH = 2_000;

/** Of one expression, at parse time. */
const LIMITS = { maxAstNodes: 1_000, maxDepth: 40, maxListElements: 200, maxMapEntries: 100, maxCallArguments: 8 };

/** One that names nothing yet: a name that nobody registers is a mistake when an expression is compiled. */
export function bareEnvironment(): CelEnvironment {
  return withMixedNumbers(
    new Environment({
      unlistedVariablesAreDyn: false,
      homogeneousAggregateLiterals: false,
      enableOptionalTypes: true,
      limits: LIMITS,
    }),
  );
}

/** `wanted`: "bool" for a condition; null: any value will do. */
export function compileExpression(
  environment: CelEnvironment,
  text: string,
  wanted: "bool" | null,
): Expression | ExpressionMistake {
  if (text.length > MAX_EXPRESSION_LENGTH) {
    return { message: `the expression is longer than ${MAX_EXPRESSION_LENGTH} characters`, offset: 0 };
  }
  try {
    const parsed = environment.parse(text);
    const { valid, type, error } = parsed.check();
    if (!valid) return mistakeOf(error);
    if (wanted !== null && type !== wanted && type !== "dyn") {
      return { message: `the expression gives ${type}, not true or false`, offset: 0 };
    }
    return (context) => parsed(context);
  } catch (error) {
    return mistakeOf(error);
  }
}

/** One line for people, of what an expression threw. */
export function whyNotEvaluated(error: unknown): string {
  const isCels = error instanceof EvaluationError || error instanceof ParseError || error instanceof CelTypeError;
  const text = isCels ? error.summary : errorMessage(error);
  return text.replaceAll("dyn<", "<").split("\n")[0] ?? text;
}

function mistakeOf(error: unknown): ExpressionMistake {
  const offset = error instanceof ParseError || error instanceof CelTypeError ? (error.range?.start ?? 0) : 0;
  return { message: whyNotEvaluated(error), offset };
}

/**
 * JSON does not tell 2 from 2.0, so one field holds now an integer, now a double: CEL tells which is larger, but has no
 * arithmetic between them, and no equality where it knows both types beforehand. Here they
 * have both, and what is computed is a double.
 */
function withMixedNumbers(environment: Environment): Environment {
  const operations: readonly (readonly [string, (a: number, b: number) => number])[] = [
    ["+", (a, b) => a + b],
    ["-", (a, b) => a - b],
    ["*", (a, b) => a * b],
    ["/", (a, b) => a / b],
  ];
  for (const [operator, compute] of operations) {
    for (const operands of [`int ${operator} double: double`, `double ${operator} int: double`]) {
      environment.registerOperator(operands, (a: number | bigint, b: number | bigint) => compute(Number(a), Number(b)));
    }
  }
  environment.registerOperator("int == double", (a: bigint, b: number) => Number(a) === b);
  return environment;
}
