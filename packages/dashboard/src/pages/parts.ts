import { formatCount, formatDuration, type RunRecord } from "@cim-replay/core";
import { type Html, html, type Insertable } from "../html.ts";
import type { RunFigures } from "../ports.ts";
import type { Viewer } from "./page.ts";

const MARKS: Readonly<Record<string, string>> = {
  completed: "✓",
  done: "✓",
  holds: "✓",
  failed: "✗",
  fails: "✗",
  cancelled: "⊘",
  paused: "‖",
  running: "▸",
  verifying: "?",
};

/** A state as a word with a mark: never by its colour alone. */
export function badge(state: string): Html {
  return html`<span class="badge ${state.replaceAll(" ", "-")}">${MARKS[state] ?? "·"} ${state}</span>`;
}

export function progressBar(figures: Pick<RunFigures, "readEvents" | "totalEvents">, label: string): Html {
  const { readEvents, totalEvents } = figures;
  const share = totalEvents > 0 ? readEvents / totalEvents : 1;
  return html`<progress max="1" value="${share.toFixed(4)}" aria-label="${label}"></progress> <span class="figure">${percent(share)}</span>`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 1 && share > 0.999 ? 2 : 1)} %`;
}

/** `2026-11-25 21:34:00`, in UTC as everything here. */
export function moment(iso: string | null): Html {
  if (iso === null) return html`–`;
  return html`<time datetime="${iso}">${iso.slice(0, 19).replace("T", " ")}</time>`;
}

/** How long it took, or takes by now; null before it began. */
export function tookMs({ startedAt, endedAt }: RunRecord, nowMs: number): number | null {
  if (startedAt === null) return null;
  return (endedAt === null ? nowMs : Date.parse(endedAt)) - Date.parse(startedAt);
}

export function duration(ms: number | null): string {
  return ms === null ? "–" : formatDuration(ms);
}

export function count(value: number | null): string {
  return value === null ? "–" : formatCount(value);
}

/** `1 unit`, `2 units`. */
export function counted(value: number, noun: string): string {
  return `${formatCount(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** Names and what they have come to. */
export function facts(pairs: readonly (readonly [string, Insertable])[]): Html {
  return html`<dl class="facts">${pairs.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

export interface Column<Row> {
  readonly title: string;
  readonly number?: boolean;
  readonly cell: (row: Row) => Insertable;
}

/** A table that becomes a list of cards where there is no room for columns. `keyOf` tells rows apart while they come and go. */
export function table<Row>(
  caption: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  keyOf?: (row: Row) => string,
): Html {
  const kind = ({ number }: Column<Row>) => (number ? html` class="number"` : null);
  return html`<table><caption>${caption}</caption>
<thead><tr>${columns.map((column) => html`<th scope="col"${kind(column)}>${column.title}</th>`)}</tr></thead>
<tbody>${rows.map(
    (row) =>
      html`<tr${keyOf ? html` data-key="${keyOf(row)}"` : null}>${columns.map((column) => html`<td data-title="${column.title}"${kind(column)}>${column.cell(row)}</td>`)}</tr>\n`,
  )}</tbody></table>`;
}

/** A form that does something; nothing where the viewer may only look. */
export function actionForm(viewer: Viewer, action: string, inside: Insertable): Html | null {
  if (!viewer.canAct) return null;
  return html`<form method="post" action="${action}"><input type="hidden" name="csrf" value="${viewer.csrfToken}">${inside}</form>`;
}

export function runLink(runId: string): Html {
  return html`<a href="/runs/${encodeURIComponent(runId)}">${runId}</a>`;
}
