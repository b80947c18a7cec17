import { formatCount } from "@cim-replay/core";
import { type Certificate, targetParts } from "@cim-replay/verifier";
import { renderFacts, renderTable } from "./table.ts";

const MOST_SHOWN = 20;
const MOST_NAMED = 5;
const MOST_SELECTIONS = 3;

const CHECK_NAMES = {
  coverage: "coverage",
  counts: "counts",
  content: "content",
  readBack: "read-back",
  refold: "refold",
} as const satisfies Record<keyof Certificate["checks"], string>;
const CHECKS = Object.keys(CHECK_NAMES) as (keyof Certificate["checks"])[];

/** What was verified, check by check, and the first of what was found wrong; of several targets, one after the other. */
export function verificationText(certificate: Certificate): string {
  return targetParts(certificate)
    .map((part) => targetText({ ...certificate, ...part }))
    .join("\n\n");
}

function targetText(certificate: Certificate): string {
  const { discrepancies } = certificate;
  return [
    headline(certificate),
    "",
    renderTable(
      [
        { title: "check", value: (check) => CHECK_NAMES[check] },
        { title: "verdict", value: (check) => certificate.checks[check].verdict },
        { title: "", value: (check) => evidenceOf(certificate.checks[check]) },
      ],
      CHECKS,
    ),
    "",
    renderFacts(factsOf(certificate)),
    ...(discrepancies.total === 0 ? [] : ["", ...discrepancyLines(certificate)]),
  ].join("\n");
}

/** Of all targets. */
export function discrepanciesOf(certificate: Certificate): number {
  return targetParts(certificate).reduce((sum, { discrepancies }) => sum + discrepancies.total, 0);
}

/** One line for a domain among others. */
export function verificationLine(certificate: Certificate): string {
  const { domain, level, verdict, discrepancies, expired } = certificate;
  const what =
    verdict === "holds"
      ? "holds"
      : verdict === "incomplete"
        ? `INCOMPLETE, ${formatCount(expired?.entries ?? 0)} entries cannot be refolded`
        : `FAILS, ${formatCount(discrepancies.total)} discrepancies`;
  return `${domain}: ${what} (level ${level})`;
}

/** The first thing found wrong, for where there is room for one line only. */
export function firstDiscrepancy(certificate: Certificate): string {
  const [part] = targetParts(certificate).filter(({ verdict }) => verdict === "fails");
  const [first] = part?.discrepancies.first ?? [];
  const others = discrepanciesOf(certificate) - 1;
  const where = certificate.otherTargets && part ? `${part.bucket}: ` : "";
  return `${where}${first?.text ?? "a check fails"}${others > 0 ? ` (and ${formatCount(others)} more)` : ""}`;
}

const VERDICTS = {
  holds: "holds",
  incomplete: "cannot be verified wholly",
  fails: "DOES NOT HOLD",
} as const satisfies Record<Certificate["verdict"], string>;

function headline({ domain, aggregateId, bucket, level, verdict }: Certificate): string {
  const what = aggregateId === null ? domain : `aggregate ${aggregateId} of ${domain}`;
  const found = VERDICTS[verdict];
  return `${what} in ${bucket} ${found} at level ${level}`;
}

function evidenceOf({ evidence, why }: Certificate["checks"]["counts"]): string {
  const figures = Object.entries(evidence).map(([name, count]) => `${wordsOf(name)} ${formatCount(count)}`);
  return [figures.join(", "), why].filter((part) => part !== null && part !== "").join("; ");
}

/** `deletedMessages` is "deleted messages". */
function wordsOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function factsOf(certificate: Certificate): [string, string][] {
  const { stream, range, projection, runId, leftOut, behind, asOf, expired, selections = [] } = certificate;
  const facts: [string, string][] = [
    ["stream", `${stream.name}, sequences ${formatCount(range.fromSeq)} to ${formatCount(range.toSeq)}`],
  ];
  if (asOf)
    facts.push([
      "state at",
      `${asOf.time}, by the ${asOf.basis === "event" ? "events' own times" : "server's receipt"}`,
    ]);
  if (asOf && range.fromSeq > 1) {
    const since = `begins at sequence ${formatCount(range.fromSeq)}`;
    facts.push(["history", `${since}: what aggregates did before that has no part in this state`]);
  }
  if (projection) facts.push(["projection", `${projection.name} (SHA-256 ${projection.sha256.slice(0, 12)}…)`]);
  if (runId !== null) facts.push(["run", runId]);
  if (selections.length > 0) facts.push(["selection", selectionsText(selections, asOf !== undefined)]);
  if (leftOut.total > 0)
    facts.push(["left out", `${formatCount(leftOut.total)} events that cannot be decoded or folded`]);
  if (behind.entries > 0) {
    const entries = `${formatCount(behind.entries)} entries are right and ${formatCount(behind.events)} later events behind`;
    facts.push(["behind", `${entries}: replay to catch up`]);
  }
  if (behind.begun) {
    const { aggregates, events } = behind.begun;
    const began = `${formatCount(aggregates)} aggregates began after the run and have no entry yet (${formatCount(events)} events)`;
    facts.push([behind.entries > 0 ? "" : "behind", `${began}: replay to catch up`]);
  }
  if (expired) {
    const entries = `${formatCount(expired.entries)} entries have events before the stream's first sequence (${formatCount(expired.firstSeq)})`;
    facts.push(["expired", `${entries} and cannot be refolded: ${shortList(expired)}`]);
  }
  return facts;
}

function shortList({ entries, first }: NonNullable<Certificate["expired"]>): string {
  const shown = first.slice(0, MOST_NAMED).join(", ");
  return entries > MOST_NAMED ? `${shown}, …` : shown;
}

/** At a moment everything counts, whatever a run was asked for. */
function selectionsText(selections: NonNullable<Certificate["selections"]>, isAtMoment: boolean): string {
  const named = selections
    .slice(0, MOST_SELECTIONS)
    .map((each) => `${each.run} (filter ${each.filterSha256.slice(0, 12)}…)`);
  const runs = named.join(", ") + (selections.length > named.length ? ", …" : "");
  return isAtMoment
    ? `${runs} replayed a selection of events: such entries are not the whole state, and are held to it here`
    : `${runs} replayed a selection of events: such entries hold it alone, and are compared with it`;
}

function discrepancyLines(certificate: Certificate): string[] {
  const { discrepancies } = certificate;
  if (isNothingThere(certificate)) return [nothingThere(certificate)];
  const shown = discrepancies.first.slice(0, MOST_SHOWN);
  const left = discrepancies.total - shown.length;
  const more = left > 0 ? [`… and ${formatCount(left)} more; --format json has the first 1,000`] : [];
  return [`found wrong (${kindsText(discrepancies)})`, ...shown.flatMap(linesOf), ...more];
}

/** All that is wrong is that not one entry is there: said once, and not for each. */
function isNothingThere({ checks, discrepancies }: Certificate): boolean {
  const { due = 0, entries = 0 } = checks.readBack.evidence;
  return due > 0 && entries === 0 && discrepancies.byKind.missing === discrepancies.total;
}

function nothingThere({ domain, bucket, checks }: Certificate): string {
  const due = formatCount(checks.readBack.evidence.due ?? 0);
  return `No entry of ${domain} is in ${bucket}, and ${due} are due: it was never rebuilt there, or was cleared. domain-replay --domain ${domain} --target ${bucket} makes them.`;
}

function kindsText({ total, byKind }: Certificate["discrepancies"]): string {
  const kinds = Object.entries(byKind);
  if (kinds.length < 2) return formatCount(total);
  return `${formatCount(total)}: ${kinds.map(([kind, count]) => `${kind} ${formatCount(count)}`).join(", ")}`;
}

function linesOf({ text, expected, found }: Certificate["discrepancies"]["first"][number]): string[] {
  // Where nothing was found, the sentence has often said what was expected.
  const isSaid = found === null && expected !== null && text.includes(expected);
  const sides = [
    expected === null || isSaid ? null : `      expected ${expected}`,
    found === null ? null : `      found    ${found}`,
  ];
  return [`  ${text}`, ...sides.filter((side) => side !== null)];
}
