import { createHash } from "node:crypto";
import { formatCount } from "@cim-replay/core";
import { Eta } from "eta/core";
import type { RuleResult, Validation } from "../rules/validation.ts";
import { barsOf } from "./bars.ts";
import { REPORT_PAGE } from "./page.ts";
import { REPORT_STYLE } from "./style.ts";
import {
  counted,
  outcomeInWords,
  resultInWords,
  timeInWords,
  verdictInWords,
  writtenMeanwhileInWords,
} from "./words.ts";

/** Nothing but the page's own style: no script, no image, no font, no request, whatever a value holds. */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(REPORT_STYLE).digest("base64")}'`,
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const LEGEND = [
  { kind: "pass", label: "holds" },
  { kind: "error", label: "error" },
  { kind: "warning", label: "warning" },
  { kind: "info", label: "info" },
  { kind: "skip", label: "not asked" },
];

/** The validation as one HTML page that needs nothing else, on screen and on paper. */
export function htmlReport(validation: Validation): string {
  const { verdict, results } = validation;
  const eta = new Eta({ autoEscape: true, autoTrim: ["nl", false] });
  return eta.renderString(REPORT_PAGE, {
    policy: POLICY,
    style: REPORT_STYLE,
    title: verdictInWords(validation),
    verdict,
    outcome: outcomeInWords(validation),
    scale: `${counted(validation.entries, "entry")}, ${timeInWords(validation.endedAt)}`,
    note: writtenMeanwhileInWords(validation),
    legend: LEGEND,
    rules: results.map(shown),
    failing: results.filter(({ failed }) => failed > 0).map(shown),
    facts: factsOf(validation),
  });
}

function shown(result: RuleResult) {
  const { name, description, severity, checked, failed, examples } = result;
  const isAsked = checked > 0;
  const left = failed - examples.length;
  return {
    name,
    description,
    badge: failed > 0 ? severity : isAsked ? "holds" : "not asked",
    badgeKind: failed > 0 ? severity : isAsked ? "pass" : "skip",
    numbers: result.scope === "entry" ? `${formatCount(checked - failed)} / ${formatCount(checked)}` : result.scope,
    inWords: resultInWords(result),
    bars: barsOf(result),
    examples,
    more: left > 0 ? `… and ${formatCount(left)} more` : null,
  };
}

function factsOf({ bucket, stream, rules, toolVersion, startedAt, endedAt, entries }: Validation) {
  return [
    ["tool", `cim-replay ${toolVersion}, validate-domain`],
    ["read", `${timeInWords(startedAt)} to ${timeInWords(endedAt)}`],
    ["entries", formatCount(entries)],
    [
      "bucket",
      `${bucket.name}, created ${timeInWords(bucket.created)}, at revision ${formatCount(bucket.lastRevision)}`,
    ],
    [
      "stream",
      stream === null
        ? "there is none"
        : `${stream.name}, created ${timeInWords(stream.created)}, at sequence ${formatCount(stream.lastSeq)}`,
    ],
    ["rules", rules.source],
    ["rules' SHA-256", rules.sha256],
  ];
}
