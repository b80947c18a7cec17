import type { ProjectedCounts, TypeCount } from "@cim-replay/verifier";
import { formatCount } from "@cim-replay/core";
import { printable } from "./short-value.ts";
import { renderTable } from "./table.ts";

export function aggregatesText({ entries }: ProjectedCounts): string {
  return renderTable(
    [
      { title: "key", value: ([key]) => printable(key) },
      { title: "events", align: "right", value: ([, { events }]) => formatCount(events) },
    ],
    [...entries],
  );
}

export function aggregatesJson({ entries }: ProjectedCounts): object[] {
  return [...entries].map(([key, { events, lastSeq }]) => ({ key, events, last_seq: lastSeq }));
}

export function typesText(types: readonly TypeCount[]): string {
  return renderTable<TypeCount>(
    [
      { title: "type", value: ({ spellings }) => printable(spellings.join(", ")) },
      { title: "events", align: "right", value: ({ events }) => formatCount(events) },
    ],
    types,
  );
}
