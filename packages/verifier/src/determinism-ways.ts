/** In which order and how a sample is folded. */
export interface Way {
  readonly name: string;
  /** Events of an aggregate before the next one's turn; null: all of them. */
  readonly batch: number | "by stream order" | null;
  /** Whether a state is packed and read back after each batch, as it is where a worker goes on from a checkpoint. */
  readonly packs: boolean;
  readonly isShifted: boolean;
}

/** What every other way is compared with. */
export const PLAIN: Way = { name: "in one go", batch: null, packs: false, isShifted: false };

export const OTHER_WAYS: readonly Way[] = [
  { name: "again", batch: null, packs: false, isShifted: false },
  { name: "interleaved with other aggregates", batch: "by stream order", packs: false, isShifted: false },
  { name: "in batches of 7", batch: 7, packs: false, isShifted: false },
  { name: "with its state packed and read back every 50 events", batch: 50, packs: true, isShifted: false },
  { name: "with its state packed and read back after each event", batch: 1, packs: true, isShifted: false },
  { name: "by a clock ten years ahead", batch: null, packs: false, isShifted: true },
];

/** Positions in a list of aggregates, one for each event in the order in which they are to be folded. */
export function* turnsOf(
  { batch }: Way,
  aggregates: readonly { readonly messages: readonly { readonly seq: number }[] }[],
): Generator<{ readonly aggregate: number; readonly endsBatch: boolean }> {
  if (batch === "by stream order") {
    const turns = aggregates.flatMap(({ messages }, aggregate) => messages.map(({ seq }) => ({ seq, aggregate })));
    for (const { aggregate } of turns.sort((a, b) => a.seq - b.seq)) yield { aggregate, endsBatch: true };
    return;
  }
  const size = batch ?? Number.POSITIVE_INFINITY;
  const longest = Math.max(0, ...aggregates.map(({ messages }) => messages.length));
  for (let from = 0; from < longest; from += size) {
    for (const [aggregate, { messages }] of aggregates.entries()) {
      const end = Math.min(messages.length, from + size);
      for (let at = from; at < end; at++) yield { aggregate, endsBatch: at === end - 1 };
    }
  }
}
