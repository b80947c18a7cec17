/**
 * What every entry's NATS headers say of where it comes from. The value itself is only the projection's state.
 * `events` counts what was folded into the state, `lastSeq` is the stream sequence of the last of them.
 */
export interface Provenance {
  readonly run: string;
  readonly epoch: number;
  readonly lastSeq: number;
  readonly events: number;
  /** Of the value's bytes, lower-case hex. */
  readonly sha256: string;
}

export const PROVENANCE_HEADERS = {
  run: "Cim-Replay-Run",
  epoch: "Cim-Replay-Epoch",
  lastSeq: "Cim-Replay-Last-Seq",
  events: "Cim-Replay-Events",
  sha256: "Cim-Replay-Sha256",
} as const;

/** Reads provenance from headers; null where an entry has none or it is not whole. */
export function parseProvenance(header: (name: string) => string | undefined): Provenance | null {
  const run = header(PROVENANCE_HEADERS.run);
  const sha256 = header(PROVENANCE_HEADERS.sha256);
  const epoch = Number(header(PROVENANCE_HEADERS.epoch));
  const lastSeq = Number(header(PROVENANCE_HEADERS.lastSeq));
  const events = Number(header(PROVENANCE_HEADERS.events));
  if (!run || !sha256) return null;
  if (![epoch, lastSeq, events].every(Number.isSafeInteger)) return null;
  return { run, epoch, lastSeq, events, sha256 };
}
