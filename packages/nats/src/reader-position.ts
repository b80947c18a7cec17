import type { SequenceRange } from "@cim-replay/core";

/** How far another reader has come in the same range. */
export type ReadSoFar = Pick<ReadPosition, "lastSeq" | "firstJumpedSeq">;

/** How far a read has come. */
export class ReadPosition {
  readonly toSeq: number;
  /** The last sequence received; before the first, the one below the range. */
  lastSeq: number;
  /** The lowest sequence of the range that was jumped over: deleted, or of another subject than was asked for. */
  firstJumpedSeq: number;
  ended = false;
  #endSeq: number;

  constructor(range: SequenceRange, soFar?: ReadSoFar) {
    this.lastSeq = soFar?.lastSeq ?? range.fromSeq - 1;
    this.firstJumpedSeq = soFar?.firstJumpedSeq ?? Number.POSITIVE_INFINITY;
    this.toSeq = range.toSeq;
    this.#endSeq = range.toSeq;
  }

  /** The lowest sequence that a rise of the stream's first sequence may have taken away unread. */
  get unreadFrom(): number {
    return Math.min(this.firstJumpedSeq, this.lastSeq + 1);
  }

  /** `lastMatchingSeq`: of the last message on the stream that the read asks for, 0 where there is none. */
  expectEnd(lastMatchingSeq: number): void {
    this.#endSeq = Math.min(lastMatchingSeq, this.toSeq);
    this.ended = this.lastSeq >= this.#endSeq;
  }

  /** False where `seq` lies behind the end and is not to be delivered. */
  advance(seq: number): boolean {
    if (seq !== this.lastSeq + 1 && this.lastSeq + 1 < this.firstJumpedSeq) this.firstJumpedSeq = this.lastSeq + 1;
    if (seq > this.toSeq) {
      this.ended = true;
      return false;
    }
    this.lastSeq = seq;
    if (seq >= this.#endSeq) this.ended = true;
    return true;
  }
}
