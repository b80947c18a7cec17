import { bucketsOf, isUnfinished } from "@cim-replay/core";
import { html } from "../html.ts";
import type { KnownRun } from "../run-board.ts";
import type { Page } from "./page.ts";
import { badge, type Column, count, duration, moment, progressBar, runLink, table, tookMs, counted } from "./parts.ts";

const ON_A_PAGE = 100;

export interface RunsQuery {
  readonly domain: string | null;
  readonly state: string | null;
  readonly page: number;
}

/** All runs, newest first. `trouble`: why what is shown may be old. */
export function runsPage(
  runs: readonly KnownRun[],
  query: RunsQuery,
  { trouble, nowMs }: { trouble: string | null; nowMs: number },
): Page {
  const fit = runs.filter(
    ({ run }) =>
      (query.domain === null || run.settings.domain === query.domain) &&
      (query.state === null || run.state === query.state),
  );
  const shown = fit.slice((query.page - 1) * ON_A_PAGE, query.page * ON_A_PAGE);
  const unfinished = runs.filter(({ run }) => isUnfinished(run) && run.state !== "failed").length;
  const failed = runs.filter(({ run }) => run.state === "failed").length;
  return {
    title: "Runs",
    isLive: true,
    fragments: [
      {
        id: "summary",
        body: html`<h1>Runs</h1>${trouble === null ? null : html`<p class="trouble" role="alert">${trouble} What is shown may be old.</p>`}
<p>${count(runs.length)} in the ledger: ${unfinished} at work or waiting, ${failed} failed and waiting for somebody.</p>`,
      },
      { id: "filter", body: filterForm(runs, query) },
      {
        id: "runs",
        body:
          fit.length === 0
            ? html`<p class="soft">${runs.length === 0 ? "No run was begun on these servers yet: domain-replay begins one." : "No run fits."}</p>`
            : table(counted(fit.length, "run"), columns(nowMs), shown, ({ run }) => run.id),
      },
      { id: "pages", body: pageLinks(fit.length, query) },
    ],
  };
}

function columns(nowMs: number): Column<KnownRun>[] {
  return [
    { title: "state", cell: ({ run }) => badge(run.state) },
    { title: "run", cell: ({ run }) => runLink(run.id) },
    { title: "domain", cell: ({ run }) => run.settings.domain },
    { title: "target", cell: ({ run }) => bucketsOf(run.settings).join(", ") },
    { title: "progress", cell: progressOf },
    { title: "events/s", number: true, cell: rateOf },
    { title: "errors", number: true, cell: errorsOf },
    { title: "certificate", cell: certificateOf },
    { title: "begun (UTC)", cell: ({ run }) => moment(run.startedAt ?? run.createdAt) },
    { title: "took", number: true, cell: ({ run }) => duration(tookMs(run, nowMs)) },
  ];
}

function progressOf({ run, latest }: KnownRun) {
  if (latest === null || run.state === "completed") return run.state === "completed" ? "100 %" : "–";
  return progressBar(latest.figures, `progress of ${run.id}`);
}

function rateOf({ run, latest }: KnownRun): string {
  if (run.state === "running" && latest) return count(latest.figures.eventsPerSecond);
  return run.summary ? count(run.summary.eventsPerSecond) : "–";
}

function errorsOf({ run, latest }: KnownRun): string {
  return count(latest?.figures.errors ?? run.summary?.quarantined ?? null);
}

function certificateOf({ run: { summary } }: KnownRun) {
  const certificate = summary?.certificate;
  return certificate ? html`${badge(certificate.holds ? "holds" : "fails")} ${certificate.level}` : "–";
}

function filterForm(runs: readonly KnownRun[], { domain, state }: RunsQuery) {
  const choices = (values: readonly string[], chosen: string | null) =>
    [...new Set(values)]
      .sort()
      .map((value) => html`<option value="${value}"${value === chosen ? html` selected` : null}>${value}</option>`);
  const domains = runs.map(({ run }) => run.settings.domain);
  const states = runs.map(({ run }) => run.state);
  return html`<form method="get" action="/" class="row">
<label>domain <select name="domain"><option value="">all</option>${choices(domains, domain)}</select></label>
<label>state <select name="state"><option value="">all</option>${choices(states, state)}</select></label>
<button>Show</button></form>`;
}

function pageLinks(total: number, { domain, state, page }: RunsQuery) {
  const pages = Math.ceil(total / ON_A_PAGE);
  if (pages < 2) return html``;
  const href = (to: number) =>
    `/?${new URLSearchParams({ domain: domain ?? "", state: state ?? "", page: String(to) })}`;
  return html`<nav aria-label="More runs" class="row">
${page > 1 ? html`<a href="${href(page - 1)}">newer</a>` : null}
<span>page ${page} of ${pages}</span>
${page < pages ? html`<a href="${href(page + 1)}">older</a>` : null}</nav>`;
}
