/** One member of many records. */
export interface Chunk {
  readonly path: string;
  readonly body: Buffer;
  readonly records: number;
}

export type ChunkKind = "entries" | "events";

const CHUNK_BYTES = 2 * 1024 * 1024;
export const END_OF_LINE = 10;

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
  let gathered = new GatheredLines(chunkBytes);
  const close = (): Chunk => {
    const chunk = { path: chunkPath(kind, ++number), body: gathered.bytes(), records: gathered.lines };
    gathered = new GatheredLines(chunkBytes);
    return chunk;
  };
  for await (const line of lines) {
    gathered.add(line);
    if (gathered.size >= chunkBytes) yield close();
  }
  if (gathered.lines > 0) yield close();
}

const MOST_BYTES_A_CHARACTER = 3;

/** Each line is encoded when it comes: kept as texts until they are joined, they would take the room three times. */
class GatheredLines {
  lines = 0;
  size = 0;
  #room: Buffer;

  constructor(expectedBytes: number) {
    this.#room = Buffer.allocUnsafe(Math.ceil(expectedBytes * 1.25));
  }

  add(line: string): void {
    const needed = this.size + line.length * MOST_BYTES_A_CHARACTER + 1;
    if (needed > this.#room.length) this.#grow(needed);
    this.size += this.#room.write(line, this.size);
    this.#room[this.size++] = END_OF_LINE;
    this.lines += 1;
  }

  bytes(): Buffer {
    return this.#room.subarray(0, this.size);
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#room.length * 2));
    this.#room.copy(larger, 0, 0, this.size);
    this.#room = larger;
  }
}
