import { formatCount, type ProjectionRef } from "@cim-replay/core";
import type { DeterminismCheck, ImpureUse, Parting } from "@cim-replay/verifier";
import { printable, shortValue } from "./short-value.ts";
import { renderFacts, renderTable } from "./table.ts";

const MOST_SHOWN = 20;

export function determinismText(check: DeterminismCheck, projection: ProjectionRef): string {
  const { uses, partings, refused, ways } = check;
  const facts: [string, string][] = [
    ["projection", printable(projection.name)],
    ["sample", sampleText(check)],
    ["folded", `in one go; ${ways.join("; ")}`],
    ["verdict", check.holds ? "the same bytes in every way, no clock and no randomness asked" : "NOT DETERMINISTIC"],
  ];
  if (refused.length > 0) facts.push(["refused", refusedText(refused)]);
  return [
    renderFacts(facts),
    ...section("asks what no replay can answer twice alike", usesTable, uses),
    ...section("comes to another value", partingsTable, partings),
  ].join("\n");
}

function sampleText({ events, aggregates, cut }: DeterminismCheck): string {
  const sample = `${counted(events, "event")} of ${counted(aggregates, "aggregate")}`;
  return cut > 0 ? `${sample}, of ${formatCount(cut)} of them only the first` : sample;
}

function counted(count: number, what: string): string {
  return `${formatCount(count)} ${what}${count === 1 ? "" : "s"}`;
}

function refusedText(refused: DeterminismCheck["refused"]): string {
  const [first] = refused;
  const where = first?.seq == null ? "when encoded" : `at sequence ${first.seq}`;
  const others = refused.length > 1 ? `, and others of ${formatCount(refused.length - 1)} more aggregates` : "";
  return `an event of ${printable(first?.aggregateId ?? "")} ${where} (${printable(first?.reason ?? "")})${others}: always the same`;
}

function section<Row>(title: string, table: (rows: readonly Row[]) => string, rows: readonly Row[]): string[] {
  if (rows.length === 0) return [];
  const left = rows.length - MOST_SHOWN;
  const more = left > 0 ? [`… and ${formatCount(left)} more (--format json shows all)`] : [];
  return ["", `${title} (${formatCount(rows.length)})`, table(rows.slice(0, MOST_SHOWN)), ...more];
}

function usesTable(uses: readonly ImpureUse[]): string {
  return renderTable<ImpureUse>(
    [
      { title: "asks", value: ({ what }) => what },
      { title: "in", value: ({ step }) => step },
      { title: "event", value: ({ eventType }) => printable(eventType ?? "–") },
      { title: "sequence", align: "right", value: ({ seq }) => (seq === null ? "–" : String(seq)) },
      { title: "aggregate", value: ({ aggregateId }) => printable(aggregateId) },
      { title: "times", align: "right", value: ({ times }) => formatCount(times) },
    ],
    uses,
  );
}

function partingsTable(partings: readonly Parting[]): string {
  return renderTable<Parting>(
    [
      { title: "aggregate", value: ({ aggregateId }) => printable(aggregateId) },
      { title: "path", value: ({ path }) => printable(path) },
      { title: "in one go", value: ({ expected }) => shortValue(expected) },
      { title: "else", value: ({ found }) => shortValue(found) },
      {
        title: "first event",
        value: ({ firstEvent }) => (firstEvent ? `${printable(firstEvent.type)} at ${firstEvent.seq}` : "–"),
      },
      { title: "folded", value: ({ way }) => way },
    ],
    partings,
  );
}

export function determinismJson(check: DeterminismCheck, { name, source, sha256 }: ProjectionRef): object {
  return {
    verdict: check.holds ? "deterministic" : "not deterministic",
    projection: { name, source, sha256 },
    aggregates: check.aggregates,
    events: check.events,
    aggregates_cut: check.cut,
    ways: check.ways,
    uses: check.uses.map(({ what, step, eventType, seq, aggregateId, times }) => {
      return { what, step, event_type: eventType, sequence: seq, aggregate_id: aggregateId, times };
    }),
    differences: check.partings.map(({ way, aggregateId, path, expected, found, firstEvent }) => {
      const first = firstEvent && { sequence: firstEvent.seq, type: firstEvent.type };
      return { way, aggregate_id: aggregateId, path, expected, found, first_event: first };
    }),
    refused: check.refused.map(({ aggregateId, seq, reason }) => ({
      aggregate_id: aggregateId,
      sequence: seq,
      reason,
    })),
  };
}
