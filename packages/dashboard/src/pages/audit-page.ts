import type { AuditRecord } from "@cim-replay/nats";
import { type Html, html } from "../html.ts";
import { type Page, plainPage } from "./page.ts";
import { badge, count, moment, runLink, table, counted } from "./parts.ts";

export function auditTable(records: readonly AuditRecord[]): Html {
  if (records.length === 0) return html`<p class="soft">Nothing was recorded.</p>`;
  return table(
    `${counted(records.length, "record")}, newest first`,
    [
      { title: "when (UTC)", cell: ({ at }) => moment(at) },
      { title: "who", cell: ({ who }) => who },
      { title: "command", cell: ({ command }) => html`<code>${command}</code>` },
      { title: "step", cell: ({ step }) => step },
      { title: "domain", cell: ({ domain }) => domain },
      { title: "target", cell: ({ target }) => target },
      { title: "run", cell: ({ runId }) => (runId === null ? "" : runLink(runId)) },
      { title: "outcome", cell: ({ outcome }) => outcome ?? "" },
      {
        title: "certificate",
        cell: ({ certificate }) =>
          certificate && html`${badge(certificate.holds ? "holds" : "fails")} ${certificate.level}`,
      },
    ],
    records,
  );
}

export interface AuditQuery {
  readonly domain: string;
}

/** `total` is how many there are; `records` the newest of them. */
export function auditPage(records: readonly AuditRecord[], total: number, { domain }: AuditQuery): Page {
  const body = html`<h1>Audit log</h1>
<form method="get" action="/audit" class="row"><label>domain <input name="domain" value="${domain}"></label><button>Show</button></form>
${total > records.length ? html`<p class="soft">The newest ${count(records.length)} of ${count(total)}: <code>audit-log</code> shows all.</p>` : null}
${auditTable(records)}`;
  return plainPage("Audit log", body);
}
