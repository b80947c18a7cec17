import type { QuarantinedEvent } from "@cim-replay/nats";
import { formatCount } from "@cim-replay/core";
import { renderTable } from "./table.ts";

const MOST_ERRORS = 100;

/** The quarantined events of a run, oldest first; the first hundred of them as a table. */
export function errorsText(errors: readonly QuarantinedEvent[]): string {
  if (errors.length === 0) return "No events in the quarantine.";
  const table = renderTable<QuarantinedEvent>(
    [
      { title: "sequence", align: "right", value: ({ seq }) => String(seq) },
      { title: "kind", value: ({ kind }) => kind },
      { title: "subject", value: ({ subject }) => subject },
      { title: "aggregate", value: ({ aggregateId }) => aggregateId ?? "–" },
      { title: "reason", value: ({ reason }) => reason },
    ],
    errors.slice(0, MOST_ERRORS),
  );
  const left = errors.length - MOST_ERRORS;
  return left > 0 ? `${table}\n… and ${formatCount(left)} more (--format json shows all)` : table;
}

export function errorJson({ seq, kind, stream, subject, aggregateId, unit, reason }: QuarantinedEvent): object {
  return { sequence: seq, kind, stream, subject, aggregate_id: aggregateId, unit, reason };
}
