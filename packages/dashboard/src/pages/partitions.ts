import { formatCount } from "@cim-replay/core";
import { type Html, html } from "../html.ts";
import { badge, count, table } from "./parts.ts";
import type { MappedPartition, PartitionState } from "../partition-map.ts";

const ROW_WIDTH = 1000;
const ROW_HEIGHT = 24;
const GAP = 2;
const LEAST_WIDTH = 4;
/** So that a thousand partitions have about this many rows. */
const MOST_ROWS = 16;
const MOST_LISTED = 50;

const STATES: readonly PartitionState[] = ["done", "running", "waiting", "failed"];

/** Every partition as a box: its width by its events, its look by its state. Wide ones first come first served, in key order. */
export function partitionsMap(partitions: readonly MappedPartition[]): Html {
  if (partitions.length === 0) return html`<p class="soft">The plan has no partition: there is nothing to read.</p>`;
  const boxes = layOut(partitions);
  const rows = Math.max(...boxes.map(({ row }) => row)) + 1;
  const counts = STATES.map((state) => [state, partitions.filter((one) => one.state === state).length] as const);
  const words = counts.filter(([, count]) => count > 0).map(([state, count]) => `${formatCount(count)} ${state}`);
  return html`<p>${words.join(", ")}</p>
<svg class="partitions" viewBox="0 0 ${ROW_WIDTH} ${rows * ROW_HEIGHT}" role="img" aria-label="partitions by state: ${words.join(", ")}">
${boxes.map(
  ({ partition, x, row, width }) =>
    html`<rect class="${partition.state}" x="${x.toFixed(1)}" y="${row * ROW_HEIGHT}" width="${width.toFixed(1)}" height="${ROW_HEIGHT - GAP}"><title>${titleOf(partition)}</title></rect>`,
)}
</svg>
${listOf(partitions)}
<p class="legend">${STATES.map((state) => html`<span><svg viewBox="0 0 10 10"><rect class="${state}" width="10" height="10"/></svg> ${state}</span> `)}</p>`;
}

/** The same in words, for whoever does not point at boxes: the largest of them. */
function listOf(partitions: readonly MappedPartition[]): Html {
  const bySize = partitions.toSorted((a, b) => (b.expectedEvents ?? 0) - (a.expectedEvents ?? 0));
  const shown = bySize.slice(0, MOST_LISTED);
  const caption = `${shown.length < partitions.length ? `the ${shown.length} largest of ` : ""}${formatCount(partitions.length)}, largest first`;
  return html`<details><summary>As a list</summary>${table(
    caption,
    [
      { title: "partition", number: true, cell: ({ index }) => String(index) },
      { title: "unit", cell: ({ unit }) => unit },
      { title: "state", cell: ({ state }) => badge(state) },
      { title: "events", number: true, cell: ({ expectedEvents }) => count(expectedEvents) },
      { title: "durable", number: true, cell: ({ deliveredEvents }) => count(deliveredEvents) },
      { title: "from", cell: ({ fromKey }) => fromKey ?? "the first" },
      { title: "to (excluded)", cell: ({ toKey }) => toKey ?? "the end" },
    ],
    shown,
  )}</details>`;
}

interface Box {
  readonly partition: MappedPartition;
  readonly x: number;
  readonly row: number;
  readonly width: number;
}

/** In rows of one width, as words are laid in lines. */
function layOut(partitions: readonly MappedPartition[]): Box[] {
  const weights = partitions.map(({ expectedEvents }) => Math.max(1, expectedEvents ?? 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const rows = Math.min(MOST_ROWS, Math.ceil(partitions.length / 16));
  // Gaps and least widths take room as well: rows that run over only make one more.
  const perWeight = (rows * (ROW_WIDTH - GAP * Math.ceil(partitions.length / rows))) / total;
  const boxes: Box[] = [];
  let x = 0;
  let row = 0;
  partitions.forEach((partition, i) => {
    const width = Math.min(ROW_WIDTH, Math.max(LEAST_WIDTH, (weights[i] ?? 1) * Math.max(perWeight, 0)));
    if (x > 0 && x + width > ROW_WIDTH + 0.5) {
      x = 0;
      row += 1;
    }
    boxes.push({ partition, x, row, width });
    x += width + GAP;
  });
  return boxes;
}

function titleOf({ index, unit, state, expectedEvents, deliveredEvents, fromKey, toKey }: MappedPartition): string {
  const events = expectedEvents === null ? "" : `, ${formatCount(expectedEvents)} events`;
  const durable = deliveredEvents > 0 ? `, ${formatCount(deliveredEvents)} durable` : "";
  return `partition ${index} (${unit}): ${state}${events}${durable}; from ${fromKey ?? "the first"} to before ${toKey ?? "the end"}`;
}
