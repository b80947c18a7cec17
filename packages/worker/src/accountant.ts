import { type DeletedSequences, type SequenceRange, SourceChangedError } from "@cim-replay/core";

/**
 * Accounts for every sequence of an unfiltered read: each is delivered, or known to be deleted. What is neither was lost
 * on the way or deleted under the run, and the read must not be believed.
 */
export class SequenceAccountant {
  readonly #slices: readonly SequenceRange[];
  readonly #deleted: DeletedSequences;
  readonly #stream: string;
  readonly deliveredBySlice: number[];
  #next: number;
  #slice: number;
  #sliceEnd: number;

  constructor(options: {
    stream: string;
    slices: readonly SequenceRange[];
    deleted: DeletedSequences;
    fromSeq: number;
    deliveredBySlice: readonly number[];
  }) {
    this.#stream = options.stream;
    this.#slices = options.slices;
    this.#deleted = options.deleted;
    this.deliveredBySlice = [...options.deliveredBySlice];
    this.#next = options.fromSeq;
    this.#slice = 0;
    this.#sliceEnd = options.slices[0]?.toSeq ?? 0;
  }

  /** Call with each delivered sequence, ascending. */
  delivered(seq: number): void {
    if (seq !== this.#next) this.#mustBeDeleted({ fromSeq: this.#next, toSeq: seq - 1 });
    this.#next = seq + 1;
    while (seq > this.#sliceEnd) this.#sliceEnd = this.#slices[++this.#slice]?.toSeq ?? Number.MAX_SAFE_INTEGER;
    this.deliveredBySlice[this.#slice] = (this.deliveredBySlice[this.#slice] ?? 0) + 1;
  }

  /** Call when the read has ended at `toSeq`. */
  ended(toSeq: number): void {
    if (this.#next <= toSeq) this.#mustBeDeleted({ fromSeq: this.#next, toSeq });
    this.#next = toSeq + 1;
  }

  /** Each slice's delivered and deleted sequences must be all that it has. */
  assertSlicesClose(): void {
    for (const [index, slice] of this.#slices.entries()) {
      const size = slice.toSeq - slice.fromSeq + 1;
      const deleted = this.#deleted.countWithin(slice);
      const delivered = this.deliveredBySlice[index] ?? 0;
      if (delivered + deleted === size) continue;
      throw new SourceChangedError(
        `Cannot account for slice ${index} (sequences ${slice.fromSeq} to ${slice.toSeq}) of ${this.#stream}: ` +
          `${delivered} delivered and ${deleted} deleted are not ${size}. Start a new run.`,
      );
    }
  }

  #mustBeDeleted(gap: SequenceRange): void {
    const missing = this.#deleted.firstPresent(gap);
    if (missing === null) return;
    throw new SourceChangedError(
      `Cannot account for sequence ${missing} of ${this.#stream}: it was there when the run was planned and is not delivered. ` +
        "Messages were deleted under the run; start a new one.",
    );
  }
}
