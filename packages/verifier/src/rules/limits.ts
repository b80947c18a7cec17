import { MAX_EXPRESSION_LENGTH } from "@cim-replay/filter";

/** What a file of rules may ask for. Generous for what people write, small for what would harm the machine. */
export const RULES_LIMITS = {
  fileBytes: 256 * 1024,
  rules: 200,
  accumulatorsPerRule: 16,
  nameLength: 80,
  descriptionLength: 500,
  messageLength: 1_000,
  expressionLength: MAX_EXPRESSION_LENGTH,
} as const;

/** All rules on one entry together. */
export const ENTRY_BUDGET_MS = 1_000;
/** A rule that exceeds the budget on so many entries is looked at no further: it fails. */
export const OVERRUNS_ALLOWED = 3;
/** Failing entries kept of each rule; the others are counted. */
export const EXAMPLES_PER_RULE = 50;
