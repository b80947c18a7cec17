/** Both ends included. */
export interface SequenceRange {
  readonly fromSeq: number;
  readonly toSeq: number;
}

/** Sequences of a stream that hold no message, as disjoint ascending ranges. */
export class DeletedSequences {
  readonly ranges: readonly SequenceRange[];

  constructor(ranges: readonly SequenceRange[]) {
    this.ranges = ranges;
  }

  /** From the server's list of single sequences, in any order. */
  static fromList(sequences: readonly number[], within: SequenceRange): DeletedSequences {
    const sorted = sequences.filter((seq) => seq >= within.fromSeq && seq <= within.toSeq).sort((a, b) => a - b);
    const ranges: { fromSeq: number; toSeq: number }[] = [];
    for (const seq of sorted) {
      const last = ranges.at(-1);
      if (last && seq <= last.toSeq + 1) last.toSeq = seq;
      else ranges.push({ fromSeq: seq, toSeq: seq });
    }
    return new DeletedSequences(ranges);
  }

  get count(): number {
    return this.ranges.reduce((sum, range) => sum + range.toSeq - range.fromSeq + 1, 0);
  }

  /** How many sequences from `fromSeq` to `toSeq` are deleted. */
  countWithin({ fromSeq, toSeq }: SequenceRange): number {
    let count = 0;
    for (let i = this.#firstEndingAtOrAfter(fromSeq); i < this.ranges.length; i++) {
      const range = this.ranges[i];
      if (!range || range.fromSeq > toSeq) break;
      count += Math.min(range.toSeq, toSeq) - Math.max(range.fromSeq, fromSeq) + 1;
    }
    return count;
  }

  /** The first sequence from `fromSeq` to `toSeq` that is not deleted, or null where all are. */
  firstPresent({ fromSeq, toSeq }: SequenceRange): number | null {
    let seq = fromSeq;
    for (let i = this.#firstEndingAtOrAfter(fromSeq); i < this.ranges.length && seq <= toSeq; i++) {
      const range = this.ranges[i];
      if (!range || range.fromSeq > seq) break;
      seq = range.toSeq + 1;
    }
    return seq <= toSeq ? seq : null;
  }

  /** One line that two lists share only if they are the same; what the plan pins. */
  canonical(): string {
    return this.ranges.map((range) => `${range.fromSeq}-${range.toSeq}`).join(",");
  }

  #firstEndingAtOrAfter(seq: number): number {
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.ranges[middle]?.toSeq ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Cuts `[fromSeq, toSeq]` into contiguous slices of at most `maxSequences` that tile it exactly. */
export function tileSlices({ fromSeq, toSeq }: SequenceRange, maxSequences: number): SequenceRange[] {
  const slices: SequenceRange[] = [];
  for (let from = fromSeq; from <= toSeq; from += maxSequences) {
    slices.push({ fromSeq: from, toSeq: Math.min(from + maxSequences - 1, toSeq) });
  }
  return slices;
}
