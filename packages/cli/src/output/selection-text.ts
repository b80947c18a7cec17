import type { SelectedKey, SelectionPreview } from "@cim-replay/coordinator";
import { type EventFilter, formatCount, formatTime, type Plan } from "@cim-replay/core";
import { count } from "./progress-lines.ts";
import { printable } from "./short-value.ts";
import { renderFacts, renderTable } from "./table.ts";

const MOST_ROWS = 20;

interface Told {
  /** Of the filter's file. */
  readonly path: string;
  readonly filter: EventFilter;
  readonly sha256: string;
  readonly timeBasis: "event" | "server";
}

/** What a selective replay would do, exactly; of types, days and keys at most `most` rows each. */
export function selectionText(previews: readonly SelectionPreview[], told: Told, most = MOST_ROWS): string {
  const taken = previews.reduce((sum, preview) => sum + preview.taken, 0);
  const keys = previews.reduce((sum, preview) => sum + preview.keys.length, 0);
  const domains = previews.length === 1 ? "" : ` in ${count(previews.length, "domain")}`;
  return [
    renderFacts([["filter", `${told.path} (SHA-256 ${told.sha256.slice(0, 12)}…)`], ...criteriaOf(told)]),
    ...previews.flatMap((preview) => ["", domainText(preview, most)]),
    "",
    `${count(taken, "event")} of ${count(keys, "key")}${domains} would be replayed. Nothing was written to any server.`,
  ].join("\n");
}

/** For `--format json`: all of it. */
export function selectionJson(previews: readonly SelectionPreview[], { path, filter, sha256, timeBasis }: Told) {
  return {
    filter: { path, sha256, ...filter },
    time_basis: timeBasis,
    domains: previews.map(({ plan, byType, byDay, keys, ...counts }) => ({
      domain: plan.domain,
      target: plan.target.bucket,
      ...(plan.otherTargets && { targets: bucketsIn(plan) }),
      stream: plan.stream.name,
      from_seq: plan.range.fromSeq,
      to_seq: plan.range.toSeq,
      deleted: plan.deleted.count,
      delivered: counts.delivered,
      events: counts.taken,
      filtered: counts.filtered,
      of_other_domains: counts.foreign,
      undecodable: counts.undecodable,
      undecided: counts.undecided,
      by_type: Object.fromEntries(sorted(byType)),
      by_day: Object.fromEntries(sorted(byDay)),
      keys: keys.map(({ key, taken, events }) => ({ key, events: taken, of: events })),
    })),
  };
}

function bucketsIn({ target, otherTargets = [] }: Plan): string[] {
  return [target, ...otherTargets].map(({ bucket }) => bucket);
}

function criteriaOf({ filter, timeBasis }: Told): [string, string][] {
  const facts: [string, string][] = [];
  const { time_range: times, sequences, condition } = filter;
  for (const name of ["event_types", "domains", "aggregate_ids", "subjects", "correlation_ids"] as const) {
    const values = filter[name];
    if (values === null) continue;
    const more = values.length > MOST_ROWS ? `, … (${formatCount(values.length)})` : "";
    facts.push([name, values.slice(0, MOST_ROWS).map(printable).join(", ") + more]);
  }
  if (times) {
    const ends = [times.startMs, times.endMs].map((timeMs) => (timeMs === null ? "open" : formatTime(timeMs)));
    const by = timeBasis === "event" ? "each event's own time" : "the server's receipt";
    facts.push(["time_range", `${ends.join(" to ")}, both included, by ${by}`]);
  }
  if (sequences) facts.push(["sequences", sequences.map(({ fromSeq, toSeq }) => `${fromSeq}-${toSeq}`).join(", ")]);
  if (condition !== null) facts.push(["condition", printable(condition)]);
  return facts;
}

function domainText(preview: SelectionPreview, most: number): string {
  const { plan, keys, byType, byDay } = preview;
  const partial = keys.filter(({ taken, events }) => taken < events).length;
  const facts: [string, string][] = [
    ["domain", plan.domain],
    ["read", `${plan.stream.name}, sequences ${formatCount(plan.range.fromSeq)} to ${formatCount(plan.range.toSeq)}`],
    ["writes", `${count(keys.length, "key")} in bucket ${bucketsIn(plan).join(", ")}`],
    ["events", formatCount(preview.taken)],
    ["filtered", `${formatCount(preview.filtered)}${undecidedText(preview)}`],
    ["of other domains", formatCount(preview.foreign)],
    ["deleted", formatCount(plan.deleted.count)],
  ];
  if (preview.undecodable > 0) {
    facts.push(["undecodable", `${formatCount(preview.undecodable)}: the run would put them into the quarantine`]);
  }
  if (partial > 0) facts.push(["partial", `${count(partial, "key")} would hold a part of the aggregate's events only`]);
  const warnings = plan.warnings.map((warning) => `warning: ${warning}`);
  return [
    renderFacts(facts),
    ...warnings,
    ...countsText("type", byType, most),
    ...countsText("day (UTC)", byDay, most),
    ...keysText(keys, most),
  ].join("\n");
}

function undecidedText({ undecided }: SelectionPreview): string {
  return undecided > 0 ? `, on ${formatCount(undecided)} of them the condition cannot be evaluated` : "";
}

function countsText(title: string, counts: ReadonlyMap<string, number>, most: number): string[] {
  if (counts.size === 0) return [];
  const rows = sorted(counts);
  const table = renderTable<[string, number]>(
    [
      { title, value: ([name]) => printable(name) },
      { title: "events", align: "right", value: ([, events]) => formatCount(events) },
    ],
    rows.slice(0, most),
  );
  return ["", table, ...moreText(rows.length, most)];
}

function keysText(keys: readonly SelectedKey[], most: number): string[] {
  if (keys.length === 0) return [];
  const table = renderTable<SelectedKey>(
    [
      { title: "key", value: ({ key }) => key },
      { title: "events", align: "right", value: ({ taken }) => formatCount(taken) },
      { title: "of", align: "right", value: ({ events }) => formatCount(events) },
    ],
    keys.slice(0, most),
  );
  return ["", table, ...moreText(keys.length, most)];
}

function moreText(rows: number, most: number): string[] {
  return rows > most ? [`… and ${formatCount(rows - most)} more`] : [];
}

function sorted(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
}
