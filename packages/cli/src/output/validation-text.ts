import { formatCount } from "@cim-replay/core";
import {
  outcomeInWords,
  type RuleResult,
  resultInWords,
  type Validation,
  verdictInWords,
  writtenMeanwhileInWords,
} from "@cim-replay/verifier";
import { renderFacts, renderTable } from "./table.ts";

const MOST_EXAMPLES = 5;

/** `validate-domain`: the verdict, each rule, and examples of what does not hold. */
export function validationText(validation: Validation): string {
  const { results, rules, stream, bucket } = validation;
  const facts = renderFacts([
    ["rules", `${rules.source} (SHA-256 ${rules.sha256})`],
    ["entries", `${formatCount(validation.entries)} at revision ${formatCount(bucket.lastRevision)} of the bucket`],
    ["stream", stream === null ? "there is none" : `${stream.name} at sequence ${formatCount(stream.lastSeq)}`],
  ]);
  const note = writtenMeanwhileInWords(validation);
  const failing = results.filter(({ failed }) => failed > 0).map(failureText);
  return [
    `${verdictInWords(validation)}. ${outcomeInWords(validation)}`,
    ...(note === null ? [] : [note]),
    "",
    facts,
    "",
    rulesTable(results),
    ...failing.map((text) => `\n${text}`),
  ].join("\n");
}

function rulesTable(results: readonly RuleResult[]): string {
  return renderTable<RuleResult>(
    [
      { title: "rule", value: ({ name }) => name },
      { title: "scope", value: ({ scope }) => scope },
      { title: "severity", value: ({ severity }) => severity },
      { title: "asked", align: "right", value: ({ checked }) => formatCount(checked) },
      { title: "failed", align: "right", value: ({ failed }) => formatCount(failed) },
    ],
    results,
  );
}

function failureText(result: RuleResult): string {
  const examples = result.examples
    .slice(0, MOST_EXAMPLES)
    .map(({ key, message }) => (key === null ? `  ${message}` : `  ${key}: ${message}`));
  const left = result.failed - examples.length;
  const more = left > 0 ? [`  … and ${formatCount(left)} more`] : [];
  return [`${result.severity} ${result.name}: ${resultInWords(result)}`, ...examples, ...more].join("\n");
}
