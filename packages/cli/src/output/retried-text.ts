import { formatCount } from "@cim-replay/core";
import type { Retried } from "../quarantine/retry.ts";
import { count } from "./progress-lines.ts";
import { printable } from "./short-value.ts";
import { renderTable } from "./table.ts";

/** One row an aggregate, and how many of them are parked still. */
export function retriedText(retried: readonly Retried[]): string {
  if (retried.length === 0) return "Nothing to retry: a later run has taken every kept event.";
  const table = renderTable<Retried>(
    [
      { title: "domain", value: ({ domain }) => printable(domain) },
      { title: "target", value: ({ target }) => printable(target) },
      { title: "aggregate", value: ({ aggregateId }) => printable(aggregateId) },
      { title: "kept", align: "right", value: ({ events }) => formatCount(events) },
      { title: "outcome", value: outcomeText },
    ],
    retried,
  );
  const open = retried.filter(({ reason }) => reason !== null).length;
  const verdict =
    open === 0
      ? `${count(retried.length, "aggregate")} folded from the beginning; the kept events are resolved.`
      : `${formatCount(open)} of ${count(retried.length, "aggregate")} cannot be folded yet; nothing of them has changed.`;
  return [table, "", verdict].join("\n");
}

export function retriedJson(retried: readonly Retried[]): object[] {
  return retried.map(({ domain, target, aggregateId, events, run, reason }) => ({
    ...{ domain, target, aggregate_id: aggregateId, kept_events: events, resolved_by: run, reason },
  }));
}

function outcomeText({ run, reason }: Retried): string {
  return reason === null ? `resolved by run ${run}` : `still bad: ${printable(reason)}`;
}
