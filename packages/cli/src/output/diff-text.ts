import { formatCount } from "@cim-replay/core";
import { type KeysOfKind, type PathChange, pathText, type ProjectionDiff } from "@cim-replay/verifier";
import { printable, shortValue } from "./short-value.ts";
import { renderFacts, renderTable } from "./table.ts";

const MOST_PATHS = 20;
const MOST_CHANGES_A_KEY = 5;

interface Buckets {
  readonly left: string;
  readonly right: string;
}

export function isDifferent({ changed, added, removed }: ProjectionDiff): boolean {
  return changed.total + added.total + removed.total > 0;
}

export function diffText(diff: ProjectionDiff, { left, right }: Buckets): string {
  const facts: [string, string][] = [
    ["left", `${left}: ${formatCount(diff.leftEntries)} entries`],
    ["right", `${right}: ${formatCount(diff.rightEntries)} entries`],
    ["same", formatCount(diff.same)],
    ["changed", formatCount(diff.changed.total)],
    ["added", `${formatCount(diff.added.total)} (on the right only)`],
    ["removed", `${formatCount(diff.removed.total)} (on the left only)`],
  ];
  if (diff.sameInOtherBytes > 0) {
    facts.push(["spelling", `${formatCount(diff.sameInOtherBytes)} have the same JSON value in other bytes`]);
  }
  return [
    renderFacts(facts),
    ...changedLines(diff),
    ...pathLines(diff),
    ...keyLines("added", diff.added),
    ...keyLines("removed", diff.removed),
  ].join("\n");
}

interface ChangeRow {
  readonly key: string;
  readonly path: string;
  readonly left: string;
  readonly right: string;
}

function changedLines({ changed }: ProjectionDiff): string[] {
  if (changed.samples.length === 0) return [];
  const rows = changed.samples.flatMap(({ key, changes, furtherChanges }) => {
    const shown = changes.slice(0, MOST_CHANGES_A_KEY).map((change): ChangeRow => rowOf(key, change));
    const further = changes.length - shown.length + furtherChanges;
    const more = { key: printable(key), path: `… and ${formatCount(further)} more places`, left: "", right: "" };
    return further > 0 ? [...shown, more] : shown;
  });
  const table = renderTable<ChangeRow>(
    [
      { title: "key", value: ({ key }) => key },
      { title: "path", value: ({ path }) => path },
      { title: "left", value: ({ left }) => left },
      { title: "right", value: ({ right }) => right },
    ],
    rows,
  );
  return ["", titleOf("changed", changed), table];
}

function rowOf(key: string, { path, left, right }: PathChange): ChangeRow {
  return { key: printable(key), path: printable(pathText(path)), left: shortValue(left), right: shortValue(right) };
}

function pathLines({ paths, placesAtOtherPaths }: ProjectionDiff): string[] {
  if (paths.length === 0) return [];
  const shown = paths.slice(0, MOST_PATHS);
  const left = paths.slice(MOST_PATHS).reduce((sum, { places }) => sum + places, placesAtOtherPaths);
  const table = renderTable(
    [
      { title: "path", value: ({ path }) => printable(path) },
      { title: "places", align: "right", value: ({ places }) => formatCount(places) },
    ],
    shown,
  );
  return ["", table, ...(left > 0 ? [`… and ${formatCount(left)} places at other paths`] : [])];
}

function keyLines(title: string, keys: KeysOfKind): string[] {
  if (keys.samples.length === 0) return [];
  return ["", titleOf(title, keys), ...keys.samples.map(({ key }) => `  ${printable(key)}`)];
}

function titleOf(title: string, { total, samples }: KeysOfKind): string {
  return samples.length === total
    ? `${title} (${formatCount(total)})`
    : `${title} (the first ${formatCount(samples.length)} of ${formatCount(total)}; --samples shows more)`;
}

export function diffJson(diff: ProjectionDiff, { left, right }: Buckets, domain: string | null): object {
  return {
    verdict: isDifferent(diff) ? "different" : "same",
    domain,
    left: { bucket: left, entries: diff.leftEntries },
    right: { bucket: right, entries: diff.rightEntries },
    same: diff.same,
    same_in_other_bytes: diff.sameInOtherBytes,
    changed: {
      total: diff.changed.total,
      samples: diff.changed.samples.map(({ key, changes, furtherChanges }) => ({
        key,
        changes: changes.map(({ path, ...sides }) => ({ path: pathText(path), ...sides })),
        further_changes: furtherChanges,
      })),
    },
    added: { total: diff.added.total, samples: diff.added.samples.map(({ key }) => key) },
    removed: { total: diff.removed.total, samples: diff.removed.samples.map(({ key }) => key) },
    paths: diff.paths,
    places_at_other_paths: diff.placesAtOtherPaths,
  };
}
