import type { StreamMessage } from "@cim-replay/core";

const NAME = {
  write: "Cim-Replay-Write",
  epoch: "Cim-Replay-Epoch",
  number: "Cim-Replay-Checkpoint",
  index: "Cim-Replay-Chunk",
  last: "Cim-Replay-Last-Chunk",
} as const;

export interface ChunkLabel {
  /** One value a written checkpoint: a write that failed half-way leaves chunks that belong to no other. */
  readonly writeId: string;
  readonly epoch: number;
  readonly number: number;
  readonly index: number;
  readonly last: boolean;
}

export function chunkHeaders({ writeId, epoch, number, index, last }: ChunkLabel): Uint8Array {
  return Buffer.from(
    `NATS/1.0\r\n${NAME.write}: ${writeId}\r\n${NAME.epoch}: ${epoch}\r\n${NAME.number}: ${number}\r\n` +
      `${NAME.index}: ${index}\r\n${NAME.last}: ${last ? 1 : 0}\r\n\r\n`,
    "latin1",
  );
}

/** Marks the last of `items`; an empty list counts as one empty item, so that every checkpoint has a message. */
export function* withLast(items: Iterable<Uint8Array>): Generator<{ chunk: Uint8Array; index: number; last: boolean }> {
  let index = 0;
  let held: Uint8Array | null = null;
  for (const item of items) {
    if (held !== null) yield { chunk: held, index: index++, last: false };
    held = item;
  }
  yield { chunk: held ?? new Uint8Array(0), index, last: true };
}

/**
 * Puts the chunks of one written checkpoint back in order. Chunks whose acknowledgement was lost are stored twice and
 * perhaps late; what belongs to other writes is left out.
 */
export class ChunkOrder {
  readonly #firstSeq: number;
  readonly #number: number;
  readonly #waiting = new Map<number, Uint8Array>();
  #writeId: string | null = null;
  #next = 0;
  #lastIndex: number | null = null;

  /** The message at `firstSeq` tells which write it is. */
  constructor(firstSeq: number, number: number) {
    this.#firstSeq = firstSeq;
    this.#number = number;
  }

  get isComplete(): boolean {
    return this.#lastIndex !== null && this.#next > this.#lastIndex;
  }

  /** Chunks given out so far. */
  get count(): number {
    return this.#next;
  }

  /** The chunks that this message completes, as copies; none where it is not of this write, or was here before. */
  *take({ seq, headers, data }: StreamMessage): Generator<Uint8Array> {
    if (headers === undefined) return;
    if (seq === this.#firstSeq && Number(headers[NAME.number]) === this.#number) {
      this.#writeId = headers[NAME.write] ?? null;
    }
    if (this.#writeId === null || headers[NAME.write] !== this.#writeId) return;
    const index = Number(headers[NAME.index]);
    if (headers[NAME.last] === "1") this.#lastIndex = index;
    if (index < this.#next) return;
    this.#waiting.set(index, Buffer.from(data));
    for (let chunk = this.#waiting.get(this.#next); chunk; chunk = this.#waiting.get(this.#next)) {
      this.#waiting.delete(this.#next++);
      yield chunk;
    }
  }
}
