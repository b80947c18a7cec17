import type { Progress } from "@cim-replay/coordinator";
import { bucketsOf, formatCount, formatDuration, formatSize } from "@cim-replay/core";
import type { Style } from "./style.ts";
import { rateText } from "./rate-text.ts";

const WIDEST_BAR = 40;

/** The live area: what is durable (full), what is read (half), what is left; then the figures. */
export function progressArea(progress: Progress, elapsedMs: number, width: number, style: Style): string[] {
  const { run, plan } = progress;
  const title = `${style("bold", plan.domain)} → ${bucketsOf(run.settings).join(", ")}  run ${run.id}  ${stateText(progress)}`;
  const bar = barText(progress, Math.max(10, Math.min(WIDEST_BAR, width - 40)));
  const rate = `${formatCount(progress.eventsPerSecond)} events/s`;
  const done = [...unitsText(progress), errorText(progress, style)];
  const elapsed = formatDuration(elapsedMs);
  // What has ended has no workers and no time to come.
  const figures = isAtWork(progress)
    ? [
        rate,
        `ETA ${etaText(progress)}`,
        count(progress.workers, "worker"),
        ...done,
        formatSize(progress.memoryBytes),
        elapsed,
        ...rateText(progress.run),
      ]
    : [...done, elapsed];
  const events = `${formatCount(progress.readEvents)} read, ${formatCount(progress.durableEvents)} durable of ${formatCount(progress.totalEvents)} events`;
  const lines = [
    title,
    `${style("cyan", bar)} ${percentOf(progress).toFixed(1).padStart(5)} %  ${events}`,
    figures.join("  "),
  ];
  return progress.entriesWritten > 0 ? [...lines, entriesText(progress)] : lines;
}

/** The same for a log or a pipe: one line, by and by. */
export function progressLine(progress: Progress): string {
  const parts = [
    `${progress.plan.domain} ${percentOf(progress).toFixed(1)} %`,
    `${formatCount(progress.readEvents)} read, ${formatCount(progress.durableEvents)} durable of ${formatCount(progress.totalEvents)} events`,
    ...unitsText(progress),
    count(progress.errors, "error"),
  ];
  const now = isAtWork(progress)
    ? [
        `${formatCount(progress.eventsPerSecond)} events/s`,
        `ETA ${etaText(progress)}`,
        count(progress.workers, "worker"),
        formatSize(progress.memoryBytes),
        ...rateText(progress.run),
      ]
    : [progress.run.state];
  const entries = progress.entriesWritten > 0 ? [entriesText(progress)] : [];
  return [...parts, ...now, ...entries].join(", ");
}

/** Nothing is folded before the first slice is packed: what moves then is said first. */
function unitsText({ units, slices }: Progress): string[] {
  const packed = slices === null ? [] : [`slices packed ${slices.done}/${slices.total}`];
  return [...packed, `units ${units.done}/${units.total}`];
}

function isAtWork({ run }: Progress): boolean {
  return run.state === "running";
}

/** Of what has been read; durable is told beside it. */
function percentOf(progress: Pick<Progress, "readEvents" | "durableEvents" | "totalEvents">): number {
  return shareOf(Math.max(progress.readEvents, progress.durableEvents), progress.totalEvents) * 100;
}

function barText(progress: Progress, width: number): string {
  const durable = Math.floor(shareOf(progress.durableEvents, progress.totalEvents) * width);
  const read = Math.max(durable, Math.floor((percentOf(progress) / 100) * width));
  return "█".repeat(durable) + "▒".repeat(read - durable) + "░".repeat(width - read);
}

function shareOf(part: number, whole: number): number {
  return whole > 0 ? Math.min(1, part / whole) : 0;
}

function etaText({ etaSeconds }: Progress): string {
  return etaSeconds === null ? "–" : formatDuration(etaSeconds * 1000);
}

function stateText({ run }: Progress): string {
  return run.reason === null || run.state === "running" ? run.state : `${run.state}: ${run.reason}`;
}

function errorText({ errors }: Progress, style: Style): string {
  return errors === 0 ? "0 errors" : style("red", count(errors, "error"));
}

function entriesText({ entriesWritten, entriesTotal }: Progress): string {
  const of = entriesTotal === null ? "" : ` of ${formatCount(entriesTotal)}`;
  return `${formatCount(entriesWritten)}${of} entries written`;
}

export function count(value: number, noun: string): string {
  return `${formatCount(value)} ${noun}${value === 1 ? "" : "s"}`;
}
