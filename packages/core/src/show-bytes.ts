const ROW_BYTES = 16;

/** Null where it is no UTF-8, or holds what no text holds. `isCut`: of a beginning, whose last character may be cut in two. */
export function textOf(data: Uint8Array, isCut = false): string | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(data, { stream: isCut });
    return text.includes("\0") ? null : text;
  } catch {
    return null;
  }
}

/** Sixteen bytes a row: offset, hex, and what is printable of them. */
export function hexRows(data: Uint8Array): string {
  const rows: string[] = [];
  for (let at = 0; at < data.byteLength; at += ROW_BYTES) {
    const row = [...data.subarray(at, at + ROW_BYTES)];
    const hex = row.map((byte) => `${byte.toString(16).padStart(2, "0")} `).join("");
    const letters = row.map((byte) => (byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : ".")).join("");
    rows.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(ROW_BYTES * 3)} ${letters}`);
  }
  return rows.join("\n");
}
