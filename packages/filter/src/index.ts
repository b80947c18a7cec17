export { parseFilter, readFilterFile } from "./parse-filter.ts";
export { type CompiledFilter, compileFilter, type FilterVerdict, filterSha256, pinFilter } from "./compile-filter.ts";
export {
  bareEnvironment,
  type CelContext,
  type CelEnvironment,
  compileExpression,
  type Expression,
  type ExpressionMistake,
  MAX_EXPRESSION_LENGTH,
  whyNotEvaluated,
} from "./cel.ts";
export { celValue, plainLine, showCelValue } from "./cel-value.ts";
export { MAX_ALIASES, type YamlMistake, YamlSource } from "./yaml-source.ts";
