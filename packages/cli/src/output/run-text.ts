import type { Progress } from "@cim-replay/coordinator";
import {
  entryKey,
  formatCount,
  formatDuration,
  type RunRecord,
  type RunSummary,
  type UnitRecord,
} from "@cim-replay/core";
import { PROJECTIONS_BUCKET } from "../replay/run-settings.ts";
import { count, progressLine } from "./progress-lines.ts";
import { rollbackCommand } from "./rollback.ts";
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
      [
        "entries",
        `${formatCount(summary.entriesWritten)} written, ${formatCount(summary.entriesUnchanged)} unchanged, in bucket ${settings.target}`,
      ],
      ["quarantined", formatCount(summary.quarantined)],
    );
    if (summary.certificate) facts.push(["certificate", certificateText(summary.certificate)]);
  }
  const findings = summary?.findings ?? [];
  const shown = findings.slice(0, MOST_FINDINGS).map((finding) => `  ${finding}`);
  const left = findings.length - shown.length;
  const notes = findings.length === 0 ? [] : ["findings", ...shown, ...(left > 0 ? [`  … and ${left} more`] : [])];
  const rollback = rollbackCommand(run, reach);
  const undo = rollback === null ? [] : [`Undo it: ${rollback}`];
  return [renderFacts(facts), ...notes, "", ...nextSteps(run), ...undo].join("\n");
}

function certificateText({ level, holds, discrepancies }: NonNullable<RunSummary["certificate"]>): string {
  return holds
    ? `holds at level ${level}`
    : `does not hold at level ${level}: ${formatCount(discrepancies)} discrepancies`;
}

/** Where to look next. */
function nextSteps(run: RunRecord): string[] {
  const { id, settings } = run;
  const errors = `replay-status --run ${id} --show-errors`;
  switch (run.state) {
    case "completed": {
      const look =
        settings.aggregateId === null
          ? `nats kv ls ${settings.target} (keys ${settings.domain}.*)`
          : `nats kv get ${settings.target} ${entryKey(settings.domain, settings.aggregateId)}`;
      const skipped = (run.summary?.quarantined ?? 0) > 0 ? [`See what was skipped: ${errors}`] : [];
      return [`Look at the result: ${look}`, `Prove it: ${proofOf(run)}`, ...skipped];
    }
    case "failed":
      return [`See what is wrong: ${errors}`, `Go on when it is mended: event-replay --resume --run ${id}`];
    case "cancelled":
      return [`Start again: event-replay --domain ${settings.domain}`];
    default:
      return [`Go on: event-replay --resume --run ${id}`, `Watch: replay-status --run ${id}`];
  }
}

function proofOf({ settings }: RunRecord): string {
  const { domain, aggregateId, target } = settings;
  const where = target === PROJECTIONS_BUCKET ? "" : ` --target ${target}`;
  return aggregateId === null
    ? `verify-domain --domain ${domain}${where}`
    : `verify-aggregate --domain ${domain} --aggregate-id ${aggregateId}${where}`;
}

export function runListText(runs: readonly RunRecord[]): string {
  return renderTable<RunRecord>(
    [
      { title: "run", value: ({ id }) => id },
      { title: "state", value: ({ state }) => state },
      { title: "domain", value: ({ settings }) => settings.domain },
      { title: "target", value: ({ settings }) => settings.target },
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
        value: ({ counts, live }) => formatCount(Math.max(counts.quarantined, live.quarantined)),
      },
      { title: "entries", align: "right", value: ({ entries }) => formatCount(entries.written) },
      { title: "worker", value: ({ owner }) => owner ?? "–" },
      { title: "failure", value: ({ failure }) => failure?.message ?? "" },
    ],
    units,
  );
  const title = `run ${run.id} of ${run.settings.domain} into ${run.settings.target}: ${run.state}`;
  const reason = run.reason === null ? [] : [run.reason];
  const body = run.summary === null ? progressLine(progress) : summaryText(run);
  return [title, ...reason, "", body, "", unitTable].join("\n");
}
