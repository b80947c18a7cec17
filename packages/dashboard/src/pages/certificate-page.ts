import type { CertificateView, TargetView } from "../certificate-view.ts";
import { type Html, html } from "../html.ts";
import { type Page, plainPage } from "./page.ts";
import { badge, count, facts, moment, runLink, table } from "./parts.ts";

const CHECKS = [
  ["coverage", "coverage"],
  ["counts", "counts"],
  ["content", "content"],
  ["readBack", "read-back"],
  ["refold", "refold"],
] as const;

/** The verdict of each check in a line. */
export function certificateSummary(runId: string, certificate: CertificateView | null): Html {
  if (certificate === null) return html`<p class="soft">There is none of this run yet.</p>`;
  const { verdict, level, otherTargets } = certificate;
  const path = `/runs/${encodeURIComponent(runId)}/certificate`;
  return html`<p>${badge(verdict)} at level ${level}, issued ${moment(certificate.issuedAt)} · <a href="${path}">evidence</a> · <a href="${path}.json" download>JSON</a></p>
${[certificate, ...otherTargets].map(
  ({ bucket, checks }) =>
    html`<p>${otherTargets.length > 0 ? `${bucket}: ` : ""}${CHECKS.map(([check, name]) => html`${badge(checks[check].verdict)} ${name} `)}</p>`,
)}`;
}

/** All of it, for people. */
export function certificatePage(runId: string, certificate: CertificateView): Page {
  const { otherTargets } = certificate;
  const body = html`<h1>Certificate of run ${runLink(runId)}</h1>
<p>${badge(certificate.verdict)} at level ${certificate.level} · <a href="/runs/${encodeURIComponent(runId)}/certificate.json" download>JSON</a></p>
${[certificate, ...otherTargets].map(
  (target) => html`${otherTargets.length > 0 ? html`<h2>Bucket ${target.bucket}</h2>` : null}${foundIn(target)}`,
)}
<h2>Of what</h2>
${facts([
  ["issued (UTC)", moment(certificate.issuedAt)],
  ["by", `cim-replay ${certificate.tool.version}`],
  ["range", `sequences ${count(certificate.range.fromSeq)} to ${count(certificate.range.toSeq)}`],
  ["plan", certificate.planSha256 ?? "–"],
  ...[certificate, ...otherTargets].flatMap(({ projection, leftOut }): [string, string][] => [
    ["projection", projection ? `${projection.name}, ${projection.sha256}` : "–"],
    ["left out as the run did", count(leftOut.total)],
  ]),
  [
    "signature",
    certificate.signature
      ? `Ed25519, key ${certificate.signature.keyFingerprint}; verify-certificate checks it`
      : "none",
  ],
])}`;
  return plainPage(`Certificate of ${runId}`, body);
}

function foundIn({ checks, discrepancies }: TargetView): Html {
  return html`${table(
    "What was checked",
    [
      { title: "check", cell: ([, name]) => name },
      { title: "verdict", cell: ([check]) => badge(checks[check].verdict) },
      {
        title: "evidence",
        cell: ([check]) =>
          Object.entries(checks[check].evidence)
            .map(([name, value]) => `${name} ${count(value)}`)
            .join(", "),
      },
      { title: "why not all", cell: ([check]) => checks[check].why ?? "" },
    ],
    CHECKS,
  )}
<h2>Found wrong</h2>
${
  discrepancies.total === 0
    ? html`<p>Nothing.</p>`
    : table(
        `${count(discrepancies.first.length)} of ${count(discrepancies.total)}`,
        [
          { title: "kind", cell: ({ kind }) => kind },
          { title: "what", cell: ({ text }) => text },
          { title: "key", cell: ({ key }) => key ?? "" },
          { title: "sequence", number: true, cell: ({ sequence }) => (sequence === null ? "" : count(sequence)) },
          { title: "expected", cell: ({ expected }) => expected ?? "" },
          { title: "found", cell: ({ found }) => found ?? "" },
        ],
        discrepancies.first,
      )
}`;
}
