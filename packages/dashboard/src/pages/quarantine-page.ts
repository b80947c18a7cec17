import { formatSize } from "@cim-replay/core";
import type { QuarantinedEvent } from "@cim-replay/nats";
import { html } from "../html.ts";
import { payloadView } from "../payload-view.ts";
import { type Page, plainPage } from "./page.ts";
import { facts, runLink, table, counted } from "./parts.ts";

/** One kept event, whole: why it is kept, what it is, and what it holds. */
export function quarantinePage(event: QuarantinedEvent): Page {
  const { format, text, isCut } = payloadView(event.data);
  const whole = event.cut
    ? `${formatSize(event.cut.bytes)}, of which the beginning was kept`
    : formatSize(event.data.byteLength);
  const headers = Object.entries(event.headers ?? {});
  const body = html`<h1>Event ${event.seq} of stream ${event.stream}</h1>
<p class="trouble">${event.reason}</p>
${facts([
  ["run", runLink(event.runId)],
  ["domain", event.domain],
  ["unit", event.unit],
  ["subject", html`<code>${event.subject}</code>`],
  ["aggregate", event.aggregateId ?? "unknown"],
  ["failed to", event.kind],
  ["projection", `${event.projection ?? "–"}${event.target === undefined ? "" : ` into ${event.target}`}`],
])}
<h2>Payload</h2><p class="soft">${format}, ${whole}${isCut ? ", shown in part" : ""}</p>
<pre tabindex="0">${text}</pre>
<h2>Headers</h2>
${
  headers.length === 0
    ? html`<p class="soft">None.</p>`
    : table(
        counted(headers.length, "header"),
        [
          { title: "name", cell: ([name]) => html`<code>${name}</code>` },
          { title: "value", cell: ([, value]) => value },
        ],
        headers,
      )
}
<p class="soft">After a fix: <code>quarantine retry --run ${event.runId}</code></p>`;
  return plainPage(`Event ${event.seq}`, body);
}
