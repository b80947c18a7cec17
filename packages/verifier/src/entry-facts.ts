/** What is kept of an entry, whatever its value. */
export interface EntryFacts {
  readonly key: string;
  /** Null where no aggregate of the domain has this key. */
  readonly id: string | null;
  readonly revision: number;
  /** Of the value's bytes as they are, hex. */
  readonly sha256: string;
  /** Of the value as canonical JSON; another than `sha256` only where somebody else wrote the entry. */
  readonly canonicalSha256: string;
  /** What the entry says of itself; null where no replay wrote it. */
  readonly stated: Stated | null;
}

interface Stated {
  readonly run: string;
  readonly sha256: string;
  readonly lastSeq: number;
  readonly events: number;
}
