type Align = "left" | "right";

export interface Column<Row> {
  readonly title: string;
  readonly align?: Align;
  value(row: Row): string;
}

/** Rows under titles, columns two spaces apart, nothing behind the last one. */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map((column) => column.value(row)))];
  return renderCells(
    cells,
    columns.map(({ align }) => align ?? "left"),
  );
}

/** Names and values under each other. */
export function renderFacts(facts: readonly (readonly [name: string, value: string])[]): string {
  return renderCells(facts, ["left", "left"]);
}

function renderCells(cells: readonly (readonly string[])[], aligns: readonly Align[]): string {
  const widths = aligns.map((_, i) => Math.max(...cells.map((row) => (row[i] ?? "").length)));
  const pad = (cell: string, i: number) =>
    aligns[i] === "right" ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0);
  return cells.map((row) => row.map(pad).join("  ").trimEnd()).join("\n");
}
