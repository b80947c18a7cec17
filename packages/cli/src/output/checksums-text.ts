import { formatCount } from "@cim-replay/core";
import type { Checksums, ChecksumsVerdict } from "@cim-replay/verifier";
import { printable } from "./short-value.ts";
import { renderFacts } from "./table.ts";

const MOST_SHOWN = 20;

export function checksumsText({ domain, bucket, entries, root, stream }: Checksums, file: string): string {
  return renderFacts([
    ["checksums", `${formatCount(entries.length)} of ${domain} in bucket ${bucket.name}`],
    ["root", root],
    ["stream", `${stream.name} at sequence ${formatCount(stream.last_seq)}`],
    ["file", file],
  ]);
}

export function checksumsJson({ domain, bucket, entries, root, stream, taken_at }: Checksums, file: string): object {
  return { domain, file, taken_at, entries: entries.length, root, bucket, stream };
}

/** Totals, and the first twenty keys of each kind. */
export function checksumsVerdictText(expected: Checksums, verdict: ChecksumsVerdict): string {
  const { altered, missing, extra, expectedEntries, foundEntries, bucket } = verdict;
  const holds = altered.length + missing.length + extra.length === 0;
  const facts = renderFacts([
    [
      "expected",
      `${formatCount(expectedEntries)} entries of ${expected.domain} as of ${expected.taken_at}, root ${expected.root}`,
    ],
    ["found", `${formatCount(foundEntries)} entries in bucket ${bucket}, root ${verdict.root}`],
    ["verdict", holds ? "the same" : "DIFFERENT"],
  ]);
  return [
    facts,
    ...keyLines(
      "altered",
      altered.map(
        ({ key, expected, found }) => `${printable(key)}  ${expected.slice(0, 12)}… became ${found.slice(0, 12)}…`,
      ),
    ),
    ...keyLines("missing", missing.map(printable)),
    ...keyLines("extra", extra.map(printable)),
  ].join("\n");
}

export function checksumsVerdictJson(expected: Checksums, verdict: ChecksumsVerdict): object {
  const { altered, missing, extra } = verdict;
  return {
    verdict: altered.length + missing.length + extra.length === 0 ? "same" : "different",
    domain: expected.domain,
    bucket: verdict.bucket,
    expected: { taken_at: expected.taken_at, entries: verdict.expectedEntries, root: expected.root },
    found: { entries: verdict.foundEntries, root: verdict.root },
    altered,
    missing,
    extra,
  };
}

function keyLines(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const left = lines.length - MOST_SHOWN;
  const more = left > 0 ? [`  … and ${formatCount(left)} more (--format json shows all)`] : [];
  return [
    "",
    `${title} (${formatCount(lines.length)})`,
    ...lines.slice(0, MOST_SHOWN).map((line) => `  ${line}`),
    ...more,
  ];
}
