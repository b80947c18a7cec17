/** One member of many records. */
export interface Chunk {
  readonly path: string;
  readonly body: Buffer;
  readonly records: number;
}

export type ChunkKind = "entries" | "events";

const CHUNK_BYTES = 8 * 1024 * 1024;

/** Where a chunk lies in the archive; they are numbered from 1. */
export function chunkPath(kind: ChunkKind, number: number): string {
  return `${kind}/${String(number).padStart(6, "0")}.jsonl`;
}

/** Gathers lines until they reach `chunkBytes`: a chunk passes that by one record at most. */
export async function* chunksOf(
  kind: ChunkKind,
  lines: AsyncIterable<string>,
  chunkBytes = CHUNK_BYTES,
): AsyncGenerator<Chunk> {
  let number = 0;
  let held: string[] = [];
  let bytes = 0;
  const close = (): Chunk => {
    const chunk = { path: chunkPath(kind, ++number), body: Buffer.from(held.join("")), records: held.length };
    held = [];
    bytes = 0;
    return chunk;
  };
  for await (const line of lines) {
    held.push(`${line}\n`);
    bytes += Buffer.byteLength(line) + 1;
    if (bytes >= chunkBytes) yield close();
  }
  if (held.length > 0) yield close();
}
