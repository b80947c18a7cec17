import type { RuleResult, Validation } from "../rules/validation.ts";
import { resultInWords, verdictInWords } from "./words.ts";

/** What XML 1.0 cannot hold, not even escaped. */
const NOT_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;
const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
  "\n": "&#10;",
  "\r": "&#13;",
  "\t": "&#9;",
};

/**
 * The validation as JUnit's XML, a test case a rule: CI systems count errors as failures; of warnings and infos they show
 * what they say, since nothing fails because of them.
 */
export function junitReport(validation: Validation): string {
  const { results, domain, startedAt, endedAt } = validation;
  const failures = results.filter((result) => result.severity === "error" && result.failed > 0).length;
  const skipped = results.filter(({ checked }) => checked === 0).length;
  const seconds = (Date.parse(endedAt) - Date.parse(startedAt)) / 1000;
  const numbers = `tests="${results.length}" failures="${failures}" errors="0" skipped="${skipped}" time="${seconds}"`;
  const name = xml(`validate-domain ${domain}`);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${name}" ${numbers}>`,
    `  <testsuite name="${name}" timestamp="${xml(startedAt)}" ${numbers}>`,
    "    <properties>",
    ...propertiesOf(validation).map(([key, value]) => `      <property name="${key}" value="${xml(value)}"/>`),
    "    </properties>",
    ...results.map((result) => testCase(result, domain)),
    `    <system-out>${xml(verdictInWords(validation))}</system-out>`,
    "  </testsuite>",
    "</testsuites>",
  ].join("\n");
}

function propertiesOf({ bucket, stream, rules, toolVersion, entries }: Validation): [string, string][] {
  return [
    ["tool_version", toolVersion],
    ["entries", String(entries)],
    ["bucket", `${bucket.name} at revision ${bucket.lastRevision}`],
    ["stream", stream === null ? "none" : `${stream.name} at sequence ${stream.lastSeq}`],
    ["rules", rules.source],
    ["rules_sha256", rules.sha256],
  ];
}

function testCase(result: RuleResult, domain: string): string {
  const head = `    <testcase name="${xml(result.name)}" classname="${xml(`${domain}.${result.scope}`)}"`;
  if (result.checked === 0) return `${head}><skipped message="${xml(resultInWords(result))}"/></testcase>`;
  if (result.failed === 0) return `${head}/>`;
  const text = xml(detailsOf(result));
  if (result.severity !== "error") return `${head}><system-out>${text}</system-out></testcase>`;
  return `${head}><failure type="${result.severity}" message="${xml(resultInWords(result))}">${text}</failure></testcase>`;
}

function detailsOf(result: RuleResult): string {
  const examples = result.examples.map(({ key, message }) => (key === null ? message : `${key}: ${message}`));
  const left = result.failed - result.examples.length;
  return [
    `${result.severity}: ${resultInWords(result)}`,
    ...examples,
    ...(left > 0 ? [`… and ${left} more`] : []),
  ].join("\n");
}

function xml(text: string): string {
  return text.replace(NOT_XML, "\ufffd").replace(/[&<>"'\n\r\t]/g, (character) => ESCAPES[character] ?? character);
}
