import { type Html, html } from "../html.ts";

const WIDTH = 600;
const HEIGHT = 120;

export interface Line {
  readonly title: string;
  /** Whether the last point is of this moment. */
  readonly isLive: boolean;
  readonly points: readonly { readonly atMs: number; readonly value: number | null }[];
  /** What the largest and the last value are called. */
  readonly format: (value: number) => string;
}

/** A line over time, from nothing to the largest value. Moments without a value are gaps. */
export function chart({ title, isLive, points, format }: Line): Html {
  const known = points.filter((point): point is { atMs: number; value: number } => point.value !== null);
  const first = points[0];
  const last = points.at(-1);
  const latest = known.at(-1);
  if (!first || !last || !latest || points.length < 2) {
    return html`<figure><figcaption>${title}: nothing was seen of it yet</figcaption></figure>`;
  }
  const most = known.reduce((largest, { value }) => Math.max(largest, value), 0);
  const x = (atMs: number) => ((atMs - first.atMs) / Math.max(1, last.atMs - first.atMs)) * WIDTH;
  const y = (value: number) => HEIGHT - 4 - (most > 0 ? value / most : 0) * (HEIGHT - 8);
  let path = "";
  let isDown = false;
  for (const { atMs, value } of points) {
    if (value !== null) path += `${isDown ? "L" : "M"}${x(atMs).toFixed(1)} ${y(value).toFixed(1)}`;
    isDown = value !== null;
  }
  const words = `${title}: ${isLive ? "now" : "last"} ${format(latest.value)}, at most ${format(most)}`;
  return html`<figure><figcaption>${words}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${words}"><path class="line" d="${path}"/></svg></figure>`;
}
