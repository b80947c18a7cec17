import { formatCount } from "@cim-replay/core";
import type { QuarantinedEvent } from "@cim-replay/nats";
import type { ErrorGroup, ErrorGroups } from "./error-groups.ts";
import { payloadSample } from "./payload-text.ts";
import { printable } from "./short-value.ts";

/** The quarantined events of a run, by what is wrong with them: the most frequent first. */
export function errorsText(groups: ErrorGroups, runId: string): string {
  if (groups.total === 0) return "No events in the quarantine.";
  const list = groups.list();
  const title = `${formatCount(groups.total)} ${groups.total === 1 ? "event" : "events"} in the quarantine, ${list.length} ${list.length === 1 ? "reason" : "reasons"}:`;
  const [first] = list[0]?.samples ?? [];
  const show = `See one whole: quarantine show ${first?.seq} --run ${runId}`;
  return [title, "", ...list.map(groupText), show].join("\n");
}

export function errorJson(event: QuarantinedEvent): object {
  const { seq, kind, stream, subject, aggregateId, unit, reason, projection, target } = event;
  const by = { projection: projection ?? null, ...(target !== undefined && { target }) };
  return { sequence: seq, kind, stream, subject, aggregate_id: aggregateId, unit, ...by, reason };
}

export function groupJson({ kind, by, reason, count, ranges, isCut, samples }: ErrorGroup): object {
  return {
    kind,
    ...(by !== null && { refused_by: by }),
    reason,
    count,
    sequences: ranges,
    sequences_cut: isCut,
    samples: samples.map(errorJson),
  };
}

function groupText(group: ErrorGroup): string {
  const samples = group.samples.map(
    ({ seq, subject, data }) => `  e.g. ${seq}  ${printable(subject)}  ${payloadSample(data)}`,
  );
  const by = group.by === null ? "" : ` (${group.by})`;
  const title = `${formatCount(group.count)} × ${group.kind}${by}: ${printable(group.reason)}`;
  return [title, `  sequences ${sequencesText(group)}`, ...samples, ""].join("\n");
}

function sequencesText({ ranges, isCut }: ErrorGroup): string {
  const texts = ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}–${to}`));
  return `${texts.join(", ")}${isCut ? ", …" : ""}`;
}
