/**
 * Coefficients, none below zero, with which the rows come nearest to the targets. Distances are relative (each row is
 * divided by its target), so that a short run counts as much as a long one. A term that would be negative is left out,
 * the worst first: costs are not.
 */
export function fitNonNegative(rows: readonly (readonly number[])[], targets: readonly number[]): number[] {
  const width = rows[0]?.length ?? 0;
  const scaled = rows.map((row, at) => row.map((value) => value / (targets[at] ?? 1)));
  let kept = Array.from({ length: width }, (_, column) => column).filter((column) =>
    scaled.some((row) => (row[column] ?? 0) !== 0),
  );
  for (;;) {
    const solved = solve(scaled.map((row) => kept.map((column) => row[column] ?? 0)));
    const worst = solved.reduce((least, value, at) => (value < (solved[least] ?? 0) ? at : least), 0);
    if (kept.length === 0 || (solved[worst] ?? 0) >= 0) {
      return Array.from({ length: width }, (_, column) => solved[kept.indexOf(column)] ?? 0);
    }
    kept = kept.filter((_, at) => at !== worst);
  }
}

/** Least squares with a target of 1 for each row, by the normal equations. */
function solve(rows: readonly (readonly number[])[]): number[] {
  const width = rows[0]?.length ?? 0;
  const at = (row: readonly number[], column: number) => row[column] ?? 0;
  const sum = (of: (row: readonly number[]) => number) => rows.reduce((total, row) => total + of(row), 0);
  const norms = Array.from({ length: width }, (_, column) => Math.sqrt(sum((row) => at(row, column) ** 2)) || 1);
  const unit = (row: readonly number[], column: number) => at(row, column) / (norms[column] ?? 1);
  const matrix = norms.map((_, i) => [
    ...norms.map((__, j) => sum((row) => unit(row, i) * unit(row, j))),
    sum((row) => unit(row, i)),
  ]);
  return eliminate(matrix).map((value, column) => value / (norms[column] ?? 1));
}

/** Below it two columns say the same: the later one gets nothing. */
const SINGULAR = 1e-9;

/** Gauss and Jordan, with the largest pivot; the last column is the right-hand side. */
function eliminate(matrix: number[][]): number[] {
  const width = matrix.length;
  for (let column = 0; column < width; column++) {
    const below = matrix.slice(column);
    const pivot = below.reduce((a, b) => (Math.abs(b[column] ?? 0) > Math.abs(a[column] ?? 0) ? b : a));
    const from = matrix.indexOf(pivot);
    [matrix[column], matrix[from]] = [pivot, matrix[column] ?? []];
    const head = pivot[column] ?? 0;
    for (const row of matrix) {
      if (row === pivot) continue;
      const times = Math.abs(head) < SINGULAR ? 0 : (row[column] ?? 0) / head;
      for (let k = column; k <= width; k++) row[k] = (row[k] ?? 0) - times * (pivot[k] ?? 0);
    }
  }
  return matrix.map((row, column) => {
    const head = row[column] ?? 0;
    return Math.abs(head) < SINGULAR ? 0 : (row[width] ?? 0) / head;
  });
}
