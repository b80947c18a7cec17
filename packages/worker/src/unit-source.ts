import type { StreamMessage } from "@cim-replay/core";

/** Where a pass over a unit's range stands when it begins. */
export interface SourceStart {
  /** First sequence that is folded. */
  readonly fromSeq: number;
  /** By slice of the plan: messages that were folded before. */
  readonly deliveredBySlice: readonly number[];
}

/**
 * Where a unit's messages come from. It delivers them in order and accounts for the range; whose a message is, what becomes of
 * it, and what is durable is the caller's business.
 */
export interface UnitSource {
  /**
   * All of the unit's messages from `fromSeq` to the end of the range, perhaps with others': non-empty batches in strictly
   * ascending order, each sequence once. A batch is the caller's until the next is asked for. May lie before the start: such
   * messages are read again and do not count.
   */
  read(fromSeq: number): AsyncIterable<readonly StreamMessage[]>;
  /** Call with each sequence that counts, ascending. Hot. */
  delivered(seq: number): void;
  /**
   * Call when all is read: throws where anything of the range is neither delivered nor known to be deleted. Returns how many
   * sequences were, of those that the unit itself read.
   */
  close(): number;
  /** Counting from the start's. */
  readonly deliveredBySlice: readonly number[];
}

export type OpenSource = (start: SourceStart) => UnitSource;
