import { formatCount, formatTime } from "@cim-replay/core";
import type { Moment } from "../replay/moment-request.ts";
import type { DomainOutcome, ReplayedDomains } from "../replay/point-in-time.ts";
import { preciseText } from "../replay/server-moment.ts";
import { runJson } from "./run-record.ts";
import type { WayBack } from "../replay/checkpoint-first.ts";
import { renderTable } from "./table.ts";
import { verificationLine } from "./verification-text.ts";

interface Told {
  readonly moment: Moment;
  readonly basis: "event" | "server";
  readonly bucket: string;
  /** Flags with which other commands find the same servers. */
  readonly reach: string;
}

/** One row a domain, and whether all of them are what was asked for. */
export function momentText({ outcomes, wayBack }: ReplayedDomains, told: Told): string {
  const open = outcomes.filter(({ isDone }) => !isDone);
  const count = (of: number | undefined) => (of === undefined ? "–" : formatCount(of));
  const table = renderTable<DomainOutcome>(
    [
      { title: "domain", value: ({ domain }) => domain },
      { title: "run", value: ({ run }) => run?.id ?? "–" },
      { title: "state", value: ({ run }) => run?.state ?? "not begun" },
      { title: "events", align: "right", value: ({ run }) => count(run?.summary?.events) },
      { title: "entries", align: "right", value: ({ run }) => count(entriesOf(run)) },
      { title: "removed", align: "right", value: ({ run }) => count(run?.summary?.pruned) },
      { title: "compared", value: ({ certificate }) => certificate?.verdict ?? "–" },
      { title: "done", value: ({ isDone }) => (isDone ? "yes" : "NO") },
    ],
    outcomes,
  );
  const where = `the state at ${momentInWords(told)} in bucket ${told.bucket}`;
  const verdict =
    open.length === 0
      ? `${outcomes.length === 1 ? "The domain is" : `All ${formatCount(outcomes.length)} domains are`} ${where}.`
      : `NOT ${where}: ${open.map(({ domain }) => domain).join(", ")}.`;
  const command = wayBackCommand(wayBack, told);
  const undo = command === null ? [] : [`Go back to what it held before: ${command}`];
  const reasons = open.map(({ domain, reason }) => `  ${domain}: ${reason}`);
  return [table, "", verdict, ...reasons, ...beginnings(outcomes), ...undo].join("\n");
}

/** The state at a moment is the sum of all that came before it: where that is gone, nobody can tell what it was. */
function beginnings(outcomes: readonly DomainOutcome[]): string[] {
  const lines = outcomes.flatMap(({ historySince }) =>
    historySince === null
      ? []
      : [
          `That is as far as ${historySince.stream} goes back: it begins at sequence ${formatCount(historySince.firstSeq)}, and what aggregates did before is not in it.`,
        ],
  );
  return [...new Set(lines)];
}

function wayBackCommand({ checkpoint }: WayBack, { bucket, reach }: Told): string | null {
  return checkpoint === null ? null : `restore-checkpoint --name ${checkpoint} --target ${bucket} --yes${reach}`;
}

function momentInWords({ moment, basis }: Told): string {
  const by = basis === "event" ? "by the events' own times" : "by the server's receipt";
  const seq = moment.toSeq === undefined ? "" : ` and sequence ${formatCount(moment.toSeq)}`;
  return `${preciseText(moment, formatTime)} (${by})${seq}`;
}

function entriesOf(run: DomainOutcome["run"]): number | undefined {
  return run?.summary ? run.summary.entriesWritten + run.summary.entriesUnchanged : undefined;
}

export function momentJson({ outcomes, wayBack }: ReplayedDomains, told: Told): object {
  const { moment, basis, bucket } = told;
  return {
    target_time: preciseText(moment, formatTime),
    target_seq: moment.toSeq ?? null,
    time_basis: basis,
    target: bucket,
    done: outcomes.every(({ isDone }) => isDone),
    before: { ...wayBack, restore: wayBackCommand(wayBack, told) },
    domains: outcomes.map(({ domain, run, certificate, isDone, reason, historySince }) => ({
      ...{ domain, done: isDone, reason, history_since: historySince?.firstSeq ?? null },
      run: run && runJson(run),
      compared: certificate && { verdict: certificate.verdict, summary: verificationLine(certificate) },
    })),
  };
}
