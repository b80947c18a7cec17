import type { Progress } from "@cim-replay/coordinator";
import {
  bucketsOf,
  eachTarget,
  entryKey,
  figuresByTarget,
  formatCount,
  formatDuration,
  type HotAggregate,
  quarantinedBy,
  type RunRecord,
  type RunSummary,
  type UnitRecord,
} from "@cim-replay/core";
import { PROJECTIONS_BUCKET } from "../settings/bucket-names.ts";
import { count, progressLine } from "./progress-lines.ts";
import { rollbackCommand } from "./rollback.ts";
import { printable } from "./short-value.ts";
import { renderFacts, renderTable } from "./table.ts";

const MOST_FINDINGS = 20;

/** What a replay command prints when its run has ended. `reach`: flags with which other commands find the same servers. */
export function summaryText(run: RunRecord, reach = ""): string {
  const { summary, settings } = run;
  const facts: [string, string][] = [
    ["run", `${run.id} ${run.state}`],
    ["domain", `${settings.domain}${settings.aggregateId === null ? "" : `, aggregate ${settings.aggregateId}`}`],
  ];
  if (summary) {
    facts.push(
      [
        "events",
        `${formatCount(summary.events)} in ${formatDuration(summary.seconds * 1000)} (${formatCount(summary.eventsPerSecond)} events/s)`,
      ],
      ["aggregates", formatCount(summary.aggregates)],
      ...eachTarget(run).flatMap((target) => targetFacts(target, settings.otherTargets.length > 0)),
    );
    if (summary.certificate) facts.push(["certificate", certificateText(summary.certificate)]);
  }
  const findings = summary?.findings ?? [];
  const shown = findings.slice(0, MOST_FINDINGS).map((finding) => `  ${finding}`);
  const left = findings.length - shown.length;
  const notes = findings.length === 0 ? [] : ["findings", ...shown, ...(left > 0 ? [`  … and ${left} more`] : [])];
  const rollbacks = eachTarget(run).map((target) => rollbackCommand(target, reach));
  const undo = rollbacks.filter((rollback) => rollback !== null).map((rollback) => `Undo it: ${rollback}`);
  return [renderFacts(facts), ...notes, "", ...nextSteps(run), ...undo].join("\n");
}

/** Of the run as one target sees it; `isOneOfSeveral`: then it is said which projection it is. */
function targetFacts({ settings, summary }: RunRecord, isOneOfSeveral: boolean): [string, string][] {
  if (summary === null) return [];
  const { entriesWritten, entriesUnchanged, quarantined } = summary;
  const by = isOneOfSeveral ? ` by ${settings.projection.name}` : "";
  return [
    [
      "entries",
      `${formatCount(entriesWritten)} written, ${formatCount(entriesUnchanged)} unchanged, in bucket ${settings.target}${by}`,
    ],
    ["quarantined", formatCount(quarantined)],
  ];
}

function certificateText({ level, holds, discrepancies }: NonNullable<RunSummary["certificate"]>): string {
  return holds
    ? `holds at level ${level}`
    : `does not hold at level ${level}: ${formatCount(discrepancies)} discrepancies`;
}

function entriesWrittenBy(unit: UnitRecord): number {
  return figuresByTarget(unit).reduce((sum, { entries }) => sum + entries.written, 0);
}

/** Where to look next. */
function nextSteps(run: RunRecord): string[] {
  const { id, settings } = run;
  const errors = `replay-status --run ${id} --show-errors`;
  switch (run.state) {
    case "completed": {
      const skipped = (run.summary?.quarantined ?? 0) > 0 ? [`See what was skipped: ${errors}`] : [];
      const looks = eachTarget(run).flatMap((target) => [
        `Look at the result: ${lookAt(target)}`,
        `Prove it: ${proofOf(target)}`,
      ]);
      return [...looks, ...skipped];
    }
    case "failed":
      return [`See what is wrong: ${errors}`, `Go on when it is mended: event-replay --resume --run ${id}`];
    case "cancelled":
      return [`Start again: event-replay --domain ${settings.domain}`];
    default:
      return [`Go on: event-replay --resume --run ${id}`, `Watch: replay-status --run ${id}`];
  }
}

function lookAt({ settings: { domain, target, aggregateId } }: RunRecord): string {
  return aggregateId === null
    ? `nats kv ls ${target} (keys ${domain}.*)`
    : `nats kv get ${target} ${entryKey(domain, aggregateId)}`;
}

function proofOf({ settings }: RunRecord): string {
  const { domain, aggregateId, target } = settings;
  const where = target === PROJECTIONS_BUCKET ? "" : ` --target ${target}`;
  return aggregateId === null
    ? `verify-domain --domain ${domain}${where}`
    : `verify-aggregate --domain ${domain} --aggregate-id ${aggregateId}${where}`;
}

function hotText({ aggregateId, events, share }: HotAggregate): string {
  const percent = Math.round(share * 100);
  return `Aggregate ${printable(aggregateId)} is hot: ${percent} % of the events so far (${formatCount(events)}). One worker folds them, one after another.`;
}

export function runListText(runs: readonly RunRecord[]): string {
  return renderTable<RunRecord>(
    [
      { title: "run", value: ({ id }) => id },
      { title: "state", value: ({ state }) => state },
      { title: "domain", value: ({ settings }) => settings.domain },
      { title: "target", value: ({ settings }) => bucketsOf(settings).join(", ") },
      { title: "started", value: ({ startedAt, createdAt }) => startedAt ?? createdAt },
      { title: "events", align: "right", value: ({ summary }) => (summary ? formatCount(summary.events) : "–") },
      {
        title: "events/s",
        align: "right",
        value: ({ summary }) => (summary ? formatCount(summary.eventsPerSecond) : "–"),
      },
      { title: "reason", value: ({ reason }) => reason ?? "" },
    ],
    runs,
  );
}

function workOf({ kind, deliveredByPartition }: UnitRecord): string {
  return kind === "slice" ? "packs a slice" : `folds ${count(deliveredByPartition.length, "partition")}`;
}

/** `replay-status`: the run, how far it is, and each of its units. */
export function statusText(progress: Progress, units: readonly UnitRecord[]): string {
  const { run } = progress;
  const unitTable = renderTable<UnitRecord>(
    [
      { title: "unit", value: ({ id }) => id },
      { title: "does", value: workOf },
      { title: "state", value: ({ state }) => state },
      { title: "epoch", align: "right", value: ({ epoch }) => String(epoch) },
      { title: "durable to", align: "right", value: ({ cursorSeq }) => formatCount(cursorSeq) },
      {
        title: "read to",
        align: "right",
        value: ({ live, cursorSeq }) => formatCount(Math.max(live.readSeq, cursorSeq)),
      },
      {
        title: "applied",
        align: "right",
        value: ({ counts, live }) => formatCount(Math.max(counts.applied, live.applied)),
      },
      {
        title: "quarantined",
        align: "right",
        value: (unit) => formatCount(quarantinedBy(unit)),
      },
      { title: "entries", align: "right", value: (unit) => formatCount(entriesWrittenBy(unit)) },
      { title: "worker", value: ({ owner }) => owner ?? "–" },
      { title: "failure", value: ({ failure }) => failure?.message ?? "" },
    ],
    units,
  );
  const title = `run ${run.id} of ${run.settings.domain} into ${bucketsOf(run.settings).join(", ")}: ${run.state}`;
  const reason = run.reason === null ? [] : [run.reason];
  const body = run.summary === null ? progressLine(progress) : summaryText(run);
  // An ended run has it among its findings.
  const hot = run.summary === null && progress.hot ? [hotText(progress.hot)] : [];
  return [title, ...reason, "", body, ...hot, "", unitTable].join("\n");
}
