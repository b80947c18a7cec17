import { z } from "zod";
import { RULES_LIMITS } from "./limits.ts";
import { GATHERINGS } from "./rule.ts";
import { SCOPES, SEVERITIES } from "./scope.ts";

const { nameLength, descriptionLength, messageLength, rules, accumulatorsPerRule } = RULES_LIMITS;

const told = (what: string) => ({
  error: ({ input }: { input?: unknown }) => (input === undefined ? "missing" : what),
});
const text = (most: number) =>
  z.string(told("not a text")).trim().min(1, "empty").max(most, `longer than ${most} characters`);
/** Its length is judged where it is compiled. */
const expression = z.string(told("not a text: put the expression in quotes")).regex(/\S/, "empty");

/** Exactly one of count, sum, min and max says what is gathered. */
const collectedSchema = z
  .strictObject({
    count: expression.optional(),
    sum: expression.optional(),
    min: expression.optional(),
    max: expression.optional(),
    where: expression.optional(),
  })
  .refine((given) => GATHERINGS.filter((how) => given[how] !== undefined).length === 1, {
    message: `needs one of ${GATHERINGS.join(", ")}`,
  });

const name = z.string().regex(/^[a-z][a-z0-9_]*$/, "a name has small letters, digits and _, a letter first");

export const ruleSchema = z.strictObject({
  name: text(nameLength),
  description: text(descriptionLength).optional(),
  scope: z.enum(SCOPES).default("entry"),
  severity: z.enum(SEVERITIES).default("error"),
  when: expression.optional(),
  condition: expression,
  message: text(messageLength),
  collect: z
    .record(name, collectedSchema)
    .refine((collected) => Object.keys(collected).length <= accumulatorsPerRule, {
      message: `more than ${accumulatorsPerRule} collected values`,
    })
    .optional(),
});
export type WrittenRule = z.infer<typeof ruleSchema>;

/** A file of rules as people write it. */
export const rulesFileSchema = z.strictObject({
  version: z.literal(1),
  rules: z.array(ruleSchema).min(1, "no rules").max(rules, `more than ${rules} rules`),
});
