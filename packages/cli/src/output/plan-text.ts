import {
  formatCount,
  formatDuration,
  formatSize,
  type Partition,
  type Plan,
  type RunSettings,
  targetsOf,
} from "@cim-replay/core";
import { count } from "./progress-lines.ts";
import { renderFacts, renderTable } from "./table.ts";

const MOST_PARTITIONS = 32;

/** What a run would do, for `--dry-run`. */
export function planText(plan: Plan, settings: RunSettings): string {
  const facts: [string, string][] = [
    ["domain", `${plan.domain}${settings.aggregateId === null ? "" : `, aggregate ${settings.aggregateId}`}`],
    [
      "stream",
      `${plan.stream.name} (created ${plan.stream.created}), sequences ${formatCount(plan.stream.firstSeq)} to ${formatCount(plan.stream.lastSeq)}`,
    ],
    ["range", rangeText(plan)],
    ...timesText(settings),
    ["read", `${formatCount(plan.read.messages)} messages, ${formatSize(plan.estimate.bytes)}: ${plan.read.reason}`],
    [
      "events",
      plan.expected
        ? `${formatCount(plan.expected.events)} of ${formatCount(plan.expected.aggregates)} aggregates`
        : "known when read: subjects hold no aggregate id",
    ],
    ...targetsOf(settings).flatMap(({ bucket, projection }, at): [string, string][] => [
      ["projection", `${projection.name} (${projection.source}, ${projection.sha256.slice(0, 12)})`],
      ["writes", `${keysText(plan, settings)} in bucket ${bucket}${bytesText(plan, at)}`],
    ]),
    ["source", `${plan.source.kind}: ${plan.source.reason}`],
    ...segmentsText(plan),
    [
      "work",
      `${count(plan.partitions.length, "partition")} by ${plan.partitionBy}, ${count(plan.units.length, "unit")}, ${count(plan.slices.length, "slice")}${plan.sliceUnits.length > 0 ? " that are packed first, one unit each" : ""}`,
    ],
    [
      "takes about",
      `${formatDuration(plan.estimate.seconds * 1000)} (${plan.estimate.microsPerEvent.toFixed(1)} µs an event, measured on a sample)`,
    ],
  ];
  const warnings = plan.warnings.map((warning) => `warning: ${warning}`);
  return [
    renderFacts(facts),
    "",
    partitionsText(plan),
    ...(warnings.length > 0 ? ["", ...warnings] : []),
    "",
    "Nothing was written.",
  ].join("\n");
}

function rangeText({ range, deleted }: Plan): string {
  if (range.toSeq < range.fromSeq) return "empty";
  const gone = deleted.count > 0 ? `, ${formatCount(deleted.count)} of them deleted` : "";
  return `sequences ${formatCount(range.fromSeq)} to ${formatCount(range.toSeq)}${gone}`;
}

function timesText(settings: RunSettings): [string, string][] {
  const { fromTimeMs, toTimeMs, timeBasis } = settings;
  if (fromTimeMs === null && toTimeMs === null) return [];
  const end = (timeMs: number | null, open: string) => (timeMs === null ? open : new Date(timeMs).toISOString());
  return [
    [
      "times",
      `${end(fromTimeMs, "the beginning")} to ${end(toTimeMs, "the end")} by ${timeBasis === "event" ? "each event's own time" : "the server's receipt"}`,
    ],
  ];
}

function segmentsText({ source, estimate }: Plan): [string, string][] {
  if (source.kind === "direct") return [];
  return [
    [
      "segments",
      `at most ${formatSize(estimate.bytes)} on the server, less as they are compressed, until the run ends`,
    ],
  ];
}

function keysText(plan: Plan, settings: RunSettings): string {
  if (settings.aggregateId !== null) return "1 key";
  return plan.expected
    ? `up to ${formatCount(plan.expected.aggregates)} keys ${plan.domain}.*`
    : `keys ${plan.domain}.*`;
}

/** States of a sample are young: those of the whole range are as large or larger. */
function bytesText({ estimate, expected }: Plan, at: number): string {
  const mean = estimate.entryBytes?.[at];
  if (!mean) return "";
  const all = expected ? `, at least about ${formatSize(Math.round(mean * expected.aggregates))}` : "";
  return `${all} (${formatSize(Math.round(mean))} an entry in a sample)`;
}

function partitionsText(plan: Plan): string {
  const unitOf = new Map(plan.units.flatMap((unit) => unit.partitions.map((index) => [index, unit.id] as const)));
  const shown = plan.partitions.slice(0, MOST_PARTITIONS);
  const table = renderTable<Partition>(
    [
      { title: "partition", align: "right", value: ({ index }) => String(index) },
      { title: "unit", value: ({ index }) => unitOf.get(index) ?? "–" },
      { title: "events", align: "right", value: ({ expected }) => eventsText(expected) },
      {
        title: "aggregates",
        align: "right",
        value: ({ expected }) => (expected ? formatCount(expected.aggregates) : "–"),
      },
      { title: "from", value: ({ fromKey }) => fromKey ?? "the first" },
      { title: "to (excluded)", value: ({ toKey }) => toKey ?? "the last" },
    ],
    shown,
  );
  const left = plan.partitions.length - shown.length;
  return left > 0 ? `${table}\n… and ${left} more (--format json shows all)` : table;
}

function eventsText(expected: Partition["expected"]): string {
  if (!expected) return "–";
  const { minEvents, maxEvents } = expected;
  return minEvents === maxEvents ? formatCount(maxEvents) : `${formatCount(minEvents)} to ${formatCount(maxEvents)}`;
}
