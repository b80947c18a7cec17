/** A row of bars: parts lie end to end. */
export interface ChartRow {
  readonly label: string;
  readonly parts: readonly { readonly value: number; readonly series: number }[];
  /** Behind the bar; default: the sum. */
  readonly text?: string;
}

export interface BarChart {
  readonly title: string;
  /** What the length of a bar means. */
  readonly unit: string;
  readonly rows: readonly ChartRow[];
  /** Names of the series, in the order of their colours; one alone needs none. */
  readonly series?: readonly string[];
  readonly scale?: "linear" | "log";
  /** A value to compare with, as a line through all rows. */
  readonly mark?: { readonly value: number; readonly text: string };
}

const WIDTH = 860;
const LABEL_WIDTH = 300;
const VALUE_WIDTH = 96;
const ROW_HEIGHT = 26;
const BAR_HEIGHT = 16;
const PAD = 16;
const HEAD_HEIGHT = 58;
const LEGEND_HEIGHT = 24;
const CHARACTER_WIDTH = 7;
/** A bar on a logarithmic scale begins here below the least value. */
const DECADES_BELOW = 0.5;

/** Told apart by people who see few colours, on light and on dark: Okabe and Ito. */
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999"];

const STYLE = `
  .page { fill: #ffffff; stroke: #d0d7de; }
  text { fill: #1f2328; font: 13px ui-sans-serif, system-ui, sans-serif; }
  .title { font-weight: 600; font-size: 15px; }
  .quiet { fill: #59636e; }
  .track { stroke: #d0d7de; }
  .mark { stroke: #cf222e; stroke-dasharray: 4 3; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; stroke: #30363d; }
    text { fill: #e6edf3; }
    .quiet { fill: #9198a1; }
    .track { stroke: #30363d; }
    .mark { stroke: #ff7b72; }
  }`;

/** Horizontal bars as an SVG file of its own, legible on light and dark pages. */
export function barChart(chart: BarChart): string {
  const { title, unit, rows, series = [], mark } = chart;
  const top = HEAD_HEIGHT + (series.length > 0 ? LEGEND_HEIGHT : 0);
  const height = top + rows.length * ROW_HEIGHT + PAD;
  const x = scaleOf(chart);
  const bars = rows.map((row, at) => drawRow(row, top + at * ROW_HEIGHT, x));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}">
<style>${STYLE}
</style>
<rect class="page" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
<text class="title" x="${PAD}" y="28">${escaped(title)}</text>
<text class="quiet" x="${PAD}" y="47">${escaped(unit)}</text>
${drawLegend(series)}<line class="track" x1="${LABEL_WIDTH}" x2="${LABEL_WIDTH}" y1="${top}" y2="${height - PAD}"/>
${bars.join("\n")}
${mark ? drawMark(mark, x(mark.value), top, height - PAD) : ""}</svg>
`;
}

function scaleOf({ rows, scale, mark }: BarChart): (value: number) => number {
  const room = WIDTH - LABEL_WIDTH - VALUE_WIDTH - PAD;
  const sums = rows.map(({ parts }) => parts.reduce((sum, { value }) => sum + value, 0));
  const most = Math.max(...sums, mark?.value ?? 0) || 1;
  if (scale !== "log") return (value) => LABEL_WIDTH + (value / most) * room;
  const least = Math.log10(Math.min(...sums.filter((sum) => sum > 0), most)) - DECADES_BELOW;
  const share = (value: number) => (Math.log10(value) - least) / (Math.log10(most) - least);
  return (value) => LABEL_WIDTH + (value > 0 ? Math.max(0, share(value)) * room : 0);
}

function drawRow({ label, parts, text }: ChartRow, y: number, x: (value: number) => number): string {
  let sum = 0;
  const rects = parts.map(({ value, series }) => {
    const from = sum === 0 ? LABEL_WIDTH : x(sum);
    sum += value;
    const width = Math.max(0, x(sum) - from);
    return `<rect x="${fixed(from)}" y="${y + 5}" width="${fixed(width)}" height="${BAR_HEIGHT}" fill="${colour(series)}"/>`;
  });
  const end = sum === 0 ? LABEL_WIDTH : x(sum);
  return [
    `<text x="${LABEL_WIDTH - 8}" y="${y + 18}" text-anchor="end">${escaped(label)}</text>`,
    ...rects,
    `<text class="quiet" x="${fixed(end + 6)}" y="${y + 18}">${escaped(text ?? sum.toPrecision(2))}</text>`,
  ].join("");
}

function drawLegend(series: readonly string[]): string {
  let x = PAD;
  const entries = series.map((name, at) => {
    const entry = `<rect x="${x}" y="${HEAD_HEIGHT}" width="12" height="12" fill="${colour(at)}"/><text x="${x + 18}" y="${HEAD_HEIGHT + 11}">${escaped(name)}</text>`;
    x += 18 + name.length * CHARACTER_WIDTH + 18;
    return entry;
  });
  return series.length === 0 ? "" : `${entries.join("")}\n`;
}

function drawMark({ text }: { text: string }, x: number, top: number, bottom: number): string {
  return `<line class="mark" x1="${fixed(x)}" x2="${fixed(x)}" y1="${top}" y2="${bottom}"/><text class="quiet" x="${fixed(x)}" y="${top - 4}" text-anchor="middle">${escaped(text)}</text>\n`;
}

function colour(series: number): string {
  return COLOURS[series % COLOURS.length] ?? "";
}

function fixed(value: number): string {
  return value.toFixed(1);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
