import {
  bucketsOf,
  eachTarget,
  entriesDoneBy,
  formatSize,
  isUnfinished,
  quarantinedBy,
  ratesOf,
  type RunRecord,
  unitFor,
  type UnitRecord,
} from "@cim-replay/core";
import type { AuditRecord, QuarantinePlace } from "@cim-replay/nats";
import type { CertificateView } from "../certificate-view.ts";
import type { Part } from "../details.ts";
import { type Html, html } from "../html.ts";
import { partitionMap } from "../partition-map.ts";
import type { RunFigures } from "../ports.ts";
import type { KnownRun } from "../run-board.ts";
import { auditTable } from "./audit-page.ts";
import { certificateSummary } from "./certificate-page.ts";
import { chart } from "./chart.ts";
import type { Page, Viewer } from "./page.ts";
import { partitionsMap } from "./partitions.ts";
import { actionForm, badge, count, duration, facts, moment, progressBar, table, tookMs, counted } from "./parts.ts";

/** Of a run's quarantine; the command lists all. */
const MOST_QUARANTINED_SHOWN = 100;

export interface RunDetails {
  readonly certificate: Part<CertificateView | null>;
  readonly quarantined: Part<readonly QuarantinePlace[]>;
  readonly audit: Part<readonly AuditRecord[]>;
  readonly nowMs: number;
  readonly trouble: string | null;
}

/** One run with all that is known of it. */
export function runPage({ run, latest, history }: KnownRun, details: RunDetails, viewer: Viewer): Page {
  const figures = latest?.figures ?? null;
  return {
    title: `Run ${run.id}`,
    isLive: true,
    fragments: [
      { id: "state", body: stateOf(run, figures, details) },
      {
        id: "actions",
        body: actionsOf(run, latest?.isAbandoned ?? false, viewer, details.quarantined.value?.length ?? 0),
      },
      { id: "figures", body: figures ? figuresOf(figures, run, details.nowMs) : html`` },
      { id: "targets", body: targetsOfRun(run, latest?.units ?? []) },
      { id: "charts", body: chartsOf(history.samples, run.state === "running") },
      {
        id: "partitions",
        body: latest
          ? html`<h2>Partitions</h2>${partitionsMap(partitionMap(latest.figures.plan, latest.units))}`
          : html``,
      },
      { id: "units", body: latest ? unitsOf(latest.units) : html`` },
      { id: "quarantine", body: section("Quarantine", details.quarantined, (places) => quarantineOf(run, places)) },
      {
        id: "certificate",
        body: section("Certificate", details.certificate, (found) => certificateSummary(run.id, found)),
      },
      { id: "settings", body: settingsOf(run, figures) },
      { id: "audit", body: section("Audit log", details.audit, auditTable) },
    ],
  };
}

function section<Value>(title: string, part: Part<Value>, show: (value: Value) => Html): Html {
  const body = part.trouble === null ? show(part.value) : html`<p class="trouble">${part.trouble}</p>`;
  return html`<h2>${title}</h2>${body}`;
}

function stateOf(run: RunRecord, figures: RunFigures | null, { trouble }: RunDetails): Html {
  const { domain } = run.settings;
  const isMoving = figures && isUnfinished(run) && run.state !== "failed";
  const findings = run.summary?.findings ?? [];
  return html`<h1>${domain} into ${bucketsOf(run.settings).join(", ")}</h1><p>${badge(run.state)} run <code>${run.id}</code></p>
${trouble === null ? null : html`<p class="trouble" role="alert">${trouble} What is shown may be old.</p>`}
${run.reason === null ? null : html`<p class="${run.state === "failed" ? "trouble" : "soft"}">${run.reason}</p>`}
${findings.length > 0 ? html`<ul>${findings.map((finding) => html`<li>${finding}</li>`)}</ul>` : null}
${isMoving ? html`<p class="wide">${progressBar(figures, "progress of the run")}</p>` : null}`;
}

function figuresOf(figures: RunFigures, run: RunRecord, nowMs: number): Html {
  const { etaSeconds, lagSeconds, memoryBytes } = figures;
  const isRunning = run.state === "running";
  return facts([
    ["events", count(figures.totalEvents)],
    ["read", count(figures.readEvents)],
    ["durable", count(figures.durableEvents)],
    ["events/s", count(isRunning ? figures.eventsPerSecond : (run.summary?.eventsPerSecond ?? null))],
    ["held to", isRunning ? heldTo(run) : "–"],
    ["time left", isRunning && etaSeconds !== null ? duration(etaSeconds * 1000) : "–"],
    ["lag", lagSeconds === null ? "–" : duration(lagSeconds * 1000)],
    ["errors", figures.errors === 0 ? "0" : html`<a href="#quarantine">${count(figures.errors)}</a>`],
    [
      "entries written",
      `${count(figures.entriesWritten)}${figures.entriesTotal === null ? "" : ` of ${count(figures.entriesTotal)}`}`,
    ],
    ...(figures.slices
      ? ([["slices packed", `${count(figures.slices.done)} of ${count(figures.slices.total)}`]] as const)
      : []),
    ["workers", count(figures.workers)],
    ["memory", isRunning ? formatSize(memoryBytes) : "–"],
    ["checkpoints", count(figures.checkpoints)],
    ...hotOf(figures),
    ["took", duration(tookMs(run, nowMs))],
  ]);
}

/** What holds the run back now, and why. */
function heldTo(run: RunRecord): string {
  const { maxRate, maxBytesRate } = ratesOf(run);
  const limits = [
    maxRate === null ? null : `${count(maxRate)} events/s`,
    maxBytesRate === null ? null : `${formatSize(maxBytesRate)}/s`,
    run.settings.adaptiveRate ? `adaptive${run.adaptive?.reason ? `: ${run.adaptive.reason}` : ""}` : null,
  ].filter((limit) => limit !== null);
  return limits.length === 0 ? "nothing" : limits.join(", ");
}

/** Of a run with several; else the figures above say it all. */
/** Its events are folded one after another, whatever the number of workers. */
function hotOf({ hot }: RunFigures): [string, string][] {
  return hot ? [["hot aggregate", `${hot.aggregateId}, ${Math.round(hot.share * 100)} % of events`]] : [];
}

function targetsOfRun(run: RunRecord, units: readonly UnitRecord[]): Html {
  const targets = eachTarget(run);
  if (targets.length === 1) return html``;
  const rows = targets.map((target, at) => ({ target, seen: units.map((unit) => unitFor(unit, at)) }));
  const sum = (seen: readonly UnitRecord[], of: (unit: UnitRecord) => number) =>
    count(seen.reduce((total, unit) => total + of(unit), 0));
  return html`<h2>Targets</h2>${table(
    counted(rows.length, "target"),
    [
      { title: "bucket", cell: ({ target }) => target.settings.target },
      { title: "projection", cell: ({ target }) => projectionText(target) },
      { title: "entries written", number: true, cell: ({ seen }) => sum(seen, entriesSoFar) },
      { title: "quarantined", number: true, cell: ({ seen }) => sum(seen, quarantinedBy) },
      { title: "backup", cell: ({ target }) => target.backup?.file ?? target.backup?.note ?? "none" },
    ],
    rows,
  )}`;
}

function entriesSoFar(unit: UnitRecord): number {
  return unit.state === "running" ? unit.live.entriesWritten : entriesDoneBy(unit);
}

function projectionText({ settings: { projection } }: RunRecord): string {
  return `${projection.name} ${projection.sha256.slice(0, 12)}`;
}

function chartsOf(samples: KnownRun["history"]["samples"], isLive: boolean): Html {
  if (samples.length === 0) return html``;
  return html`<h2>Over time</h2><div class="charts">${chart({
    title: "events/s",
    isLive,
    points: samples.map(({ atMs, eventsPerSecond }) => ({ atMs, value: eventsPerSecond })),
    format: count,
  })}${chart({
    title: "lag",
    isLive,
    points: samples.map(({ atMs, lagSeconds }) => ({ atMs, value: lagSeconds })),
    format: (seconds) => duration(seconds * 1000),
  })}</div>`;
}

function unitsOf(units: readonly UnitRecord[]): Html {
  return html`<h2>Units and workers</h2>${table(
    counted(units.length, "unit"),
    [
      { title: "unit", cell: ({ id }) => id },
      { title: "does", cell: ({ kind }) => (kind === "slice" ? "packs a slice" : "folds") },
      { title: "state", cell: ({ state }) => badge(state) },
      { title: "worker", cell: ({ owner }) => owner ?? "–" },
      { title: "epoch", number: true, cell: ({ epoch }) => count(epoch) },
      { title: "partitions", number: true, cell: ({ deliveredByPartition }) => count(deliveredByPartition.length) },
      { title: "read to", number: true, cell: ({ live, cursorSeq }) => count(Math.max(live.readSeq, cursorSeq)) },
      { title: "durable to", number: true, cell: ({ cursorSeq }) => count(cursorSeq) },
      { title: "progress (UTC)", cell: ({ progressAt }) => moment(progressAt) },
      { title: "failure", cell: ({ failure }) => failure?.message ?? "–" },
    ],
    units,
  )}`;
}

function quarantineOf(run: RunRecord, places: readonly QuarantinePlace[]): Html {
  if (places.length === 0) return html`<p class="soft">No event of this run is kept aside.</p>`;
  const path = `/runs/${encodeURIComponent(run.id)}/quarantine`;
  const more = places.length - MOST_QUARANTINED_SHOWN;
  return html`<p>${counted(places.length, "event")} kept aside, by sequence of the stream:</p>
<p class="sequences">${places.slice(0, MOST_QUARANTINED_SHOWN).map(({ seq, target }) => html`<a href="${path}/${seq}${target === undefined ? "" : `?target=${encodeURIComponent(target)}`}">${seq}${target === undefined ? "" : ` (${target})`}</a> `)}</p>
${more > 0 ? html`<p class="soft">and ${count(more)} more: <code>quarantine list --run ${run.id} --format json</code></p>` : null}`;
}

function settingsOf(run: RunRecord, figures: RunFigures | null): Html {
  const { settings } = run;
  const plan = figures?.plan;
  return html`<details><summary><h2>Settings and plan</h2></summary>${facts([
    ["command", run.command],
    ["coordinator", `${run.coordinator.id} on ${run.coordinator.host}`],
    ["begun (UTC)", moment(run.startedAt)],
    ["ended (UTC)", moment(run.endedAt)],
    ["aggregate", settings.aggregateId ?? "all"],
    ["projection", eachTarget(run).map(projectionText).join(", ")],
    ["certifies at", settings.certify],
    ["skips errors", count(settings.skipErrors)],
    [
      "stream",
      plan ? `${plan.stream.name}, sequences ${count(plan.range.fromSeq)} to ${count(plan.range.toSeq)}` : "–",
    ],
    ["source", plan ? `${plan.source.kind}: ${plan.source.reason}` : "–"],
    [
      "backup",
      eachTarget(run)
        .map(({ backup }) => backup?.file ?? backup?.note ?? "none")
        .join(", "),
    ],
  ])}${(plan?.warnings ?? []).map((warning) => html`<p class="soft">${warning}</p>`)}</details>`;
}

function actionsOf(run: RunRecord, isAbandoned: boolean, viewer: Viewer, quarantined: number): Html {
  const path = `/runs/${encodeURIComponent(run.id)}`;
  const forms: (Html | null)[] = [];
  if ((run.state === "running" || run.state === "verifying") && !isAbandoned) {
    forms.push(actionForm(viewer, `${path}/pause`, html`<button>Pause</button>`));
  }
  if (run.state === "paused" || run.state === "failed" || isAbandoned) {
    forms.push(actionForm(viewer, `${path}/resume`, html`<button>Resume</button>`));
  }
  if (quarantined > 0 && !isAtWork(run)) {
    forms.push(actionForm(viewer, `${path}/retry`, html`<button>Retry quarantined events</button>`));
  }
  if (isUnfinished(run)) {
    const sure = actionForm(
      viewer,
      `${path}/cancel`,
      html`<label>reason <input name="reason" maxlength="300"></label> <button class="danger">Cancel for good</button>`,
    );
    if (sure) forms.push(html`<details class="sure"><summary>Cancel …</summary>${sure}</details>`);
  }
  return html`${isAbandoned ? html`<p class="trouble">Nobody coordinates this run any more: its command is gone.</p>` : null}<div class="row">${forms}</div>`;
}

function isAtWork({ state }: RunRecord): boolean {
  return state === "planned" || state === "running" || state === "verifying";
}
