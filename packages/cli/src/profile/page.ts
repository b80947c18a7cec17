import { createHash } from "node:crypto";
import { escapeHtml, formatSize } from "@cim-replay/core";
import { ACTIVITIES } from "./activity.ts";
import { type FlameBox, flameOf } from "./flame.ts";
import type { ProfileReport } from "./report.ts";
import { percent, rate } from "./verdict.ts";

const STYLE = `
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #16191d; --soft: #59626d; --line: #dde1e6; --box: #e9a15b; --text: #1a1206; }
@media (prefers-color-scheme: dark) { :root { --page: #121519; --card: #1b1f25; --ink: #e8ebef; --soft: #9aa4b0; --line: #313842; --box: #c97f3a; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 1.5rem 1rem 3rem; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .75rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.1rem; overflow-x: auto; }
.soft { color: var(--soft); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25rem .75rem; border-top: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
svg { display: block; width: 100%; font: 11px ui-monospace, monospace; }
.box { fill: var(--box); stroke: var(--card); stroke-width: .5; }
.name { fill: var(--text); pointer-events: none; }
`;

const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`,
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const WIDTH = 1100;
const ROW = 17;
const CHARACTER = 6.7;

/** One page that needs nothing else: no script, no font, no request, whatever the names of functions hold. */
export function profilePage(report: ProfileReport): string {
  const { verdict, totals, run } = report;
  const title = `Run ${run.id}: limited by ${verdict.limit}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header class="card">
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(capital(verdict.because))}.</p>
<p>${escapeHtml(verdict.advice)}</p>
<p class="soft">${escapeHtml(`${run.domain}, ${totals.seconds.toFixed(1)} s${report.endedEarly ? " (the run ended)" : ""}, ${report.profiles.length} profiles, ${rate(totals.eventsPerSecond)}`)}</p>
${report.notes.map((note) => `<p>${escapeHtml(note)}</p>`).join("\n")}
</header>
<h2>What the workers did</h2>
<section class="card">${table(["", ...ACTIVITIES], activityRows(report))}</section>
<h2>How the workers fared</h2>
<section class="card">${table(FACTS, factRows(report))}</section>
<h2>Where the processor's time went</h2>
<section class="card">${flameSvg(flameOf(report.profiles.map(({ cpuProfile }) => cpuProfile)))}</section>
</main>
</body>
</html>
`;
}

function activityRows({ profiles, activities }: ProfileReport): string[][] {
  return profiles.map(({ workerId }, at) => {
    const own = activities[at];
    const total = own ? Object.values(own).reduce((sum, ms) => sum + ms, 0) : 0;
    return [workerId, ...ACTIVITIES.map((name) => (own && total > 0 ? percent(own[name] / total) : "0 %"))];
  });
}

const FACTS = [
  ...["", "seconds", "messages/s", "fetch", "fold", "checkpoint", "write", "loop p99", "loop max", "GC", "longest"],
  ...["in flight", "memory", "round trip"],
];

function factRows({ profiles }: ProfileReport): string[][] {
  return profiles.map((one) => {
    const share = (ms: number) => percent(ms / Math.max(1, one.wallMs));
    const { stages, eventLoop, gc } = one;
    return [
      ...[
        one.workerId,
        (one.wallMs / 1000).toFixed(1),
        String(Math.round((one.delivered * 1000) / Math.max(1, one.wallMs))),
      ],
      ...[share(stages.fetch), share(stages.fold), share(stages.checkpoint), share(stages.write)],
      ...[ms(eventLoop.p99Ms), ms(eventLoop.maxMs), share(gc.totalMs), ms(gc.longestMs)],
      ...[formatSize(Math.round(one.inFlightBytes.mean)), formatSize(one.rssMaxBytes)],
      one.rttMs === null ? "unknown" : ms(one.rttMs),
    ];
  });
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, row: readonly string[]) =>
    row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join("");
  return `<table><tr>${cells("th", heads)}</tr>${rows.map((row) => `<tr>${cells("td", row)}</tr>`).join("")}</table>`;
}

function flameSvg(boxes: readonly FlameBox[]): string {
  if (boxes.length === 0) return "<p>No sample was taken while a worker was busy.</p>";
  const height = (boxes.reduce((deepest, { depth }) => Math.max(deepest, depth), 0) + 1) * ROW;
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="flame graph">${boxes.map(flameBox).join("")}</svg>`;
}

function flameBox({ depth, from, share, name, place, ms: time }: FlameBox): string {
  const x = (from * WIDTH).toFixed(2);
  const width = share * WIDTH;
  const y = depth * ROW;
  const room = Math.floor((width - 6) / CHARACTER);
  const shown = room < 3 ? "" : name.length > room ? `${name.slice(0, room - 1)}…` : name;
  const label = shown && `<text class="name" x="${Number(x) + 3}" y="${y + 12}">${escapeHtml(shown)}</text>`;
  const words = `${name} ${place} ${time.toFixed(1)} ms, ${(share * 100).toFixed(1)} %`;
  return `<g><title>${escapeHtml(words)}</title><rect class="box" x="${x}" y="${y}" width="${width.toFixed(2)}" height="${ROW}"/>${label}</g>`;
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
