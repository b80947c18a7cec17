import { keyHash, NOWHERE, parseEntryKey, PositionIndex } from "@cim-replay/core";
import type { EntryFacts } from "./entry-facts.ts";

/** Small: most tables are. */
const CHUNK_ROWS = 1_024;
const CHUNK_KEY_BYTES = 64 * 1024;
const SHA_BYTES = 32;
const NO_RUN = -1;
/** Of a key, behind what all keys begin with: as many as a number holds exactly. */
const SORTED_BY_BYTES = 6;

interface Chunk {
  readonly revisions: Float64Array;
  readonly lastSeqs: Float64Array;
  readonly events: Uint32Array;
  /** Which of the runs, or NO_RUN. */
  readonly runs: Int32Array;
  readonly hashes: Buffer;
  readonly keyAts: Float64Array;
  readonly keyLengths: Uint16Array;
}

/**
 * Entries by key: about 120 bytes of each, in columns, because there may be millions. What it gives is made anew each time.
 */
export class EntryTable {
  size = 0;
  readonly #domain: string;
  readonly #index = new PositionIndex();
  readonly #chunks: Chunk[] = [];
  readonly #keys: Buffer[] = [];
  #keyEnd = 0;
  readonly #runs: string[] = [];
  readonly #runNumbers = new Map<string, number>();
  /** Where they are not the hash of the value's bytes: only of entries that others wrote or altered. */
  readonly #canonical = new Map<number, string>();
  readonly #statedHashes = new Map<number, string>();

  constructor(domain: string) {
    this.#domain = domain;
  }

  /** Of a key that is there already, the newer facts count. */
  set(facts: EntryFacts): void {
    const known = this.#rowOf(facts.key);
    const row = known === NOWHERE ? this.#addKey(facts.key) : known;
    const { chunk, at } = this.#place(row);
    const { stated } = facts;
    chunk.revisions[at] = facts.revision;
    chunk.hashes.write(facts.sha256, at * SHA_BYTES, "hex");
    chunk.runs[at] = stated ? this.#runNumber(stated.run) : NO_RUN;
    chunk.lastSeqs[at] = stated?.lastSeq ?? 0;
    chunk.events[at] = stated?.events ?? 0;
    keep(this.#canonical, row, facts.canonicalSha256, facts.sha256);
    keep(this.#statedHashes, row, stated?.sha256 ?? facts.sha256, facts.sha256);
  }

  get(key: string): EntryFacts | undefined {
    const row = this.#rowOf(key);
    return row === NOWHERE ? undefined : this.#factsOf(row);
  }

  has(key: string): boolean {
    return this.#rowOf(key) !== NOWHERE;
  }

  *keys(): Generator<string> {
    for (let row = 0; row < this.size; row++) yield this.#keyOf(row).toString();
  }

  *values(): Generator<EntryFacts> {
    for (let row = 0; row < this.size; row++) yield this.#factsOf(row);
  }

  /** By key, as bytes. */
  *sorted(): Generator<EntryFacts> {
    for (const row of this.#sortedRows()) yield this.#factsOf(row);
  }

  #rowOf(key: string): number {
    const hash = keyHash(key) | 0;
    for (let slot = this.#index.slotOf(hash); slot !== NOWHERE; slot = this.#index.slotOf(hash, slot)) {
      const row = this.#index.at(slot);
      if (this.#keyOf(row).equals(Buffer.from(key))) return row;
    }
    return NOWHERE;
  }

  #addKey(key: string): number {
    const row = this.size++;
    if (row % CHUNK_ROWS === 0) this.#chunks.push(newChunk());
    const { chunk, at } = this.#place(row);
    const bytes = Buffer.from(key);
    // A key lies in one piece.
    if (this.#keyEnd + bytes.length > this.#keys.length * CHUNK_KEY_BYTES) {
      this.#keyEnd = this.#keys.length * CHUNK_KEY_BYTES;
      this.#keys.push(Buffer.allocUnsafe(CHUNK_KEY_BYTES));
    }
    bytes.copy(this.#keys.at(-1) as Buffer, this.#keyEnd % CHUNK_KEY_BYTES);
    chunk.keyAts[at] = this.#keyEnd;
    chunk.keyLengths[at] = bytes.length;
    this.#keyEnd += bytes.length;
    this.#index.add(keyHash(key) | 0, row);
    return row;
  }

  #runNumber(run: string): number {
    const known = this.#runNumbers.get(run);
    if (known !== undefined) return known;
    const number = this.#runs.push(run) - 1;
    this.#runNumbers.set(run, number);
    return number;
  }

  #factsOf(row: number): EntryFacts {
    const { chunk, at } = this.#place(row);
    const key = this.#keyOf(row).toString();
    const parsed = parseEntryKey(key);
    const sha256 = chunk.hashes.toString("hex", at * SHA_BYTES, (at + 1) * SHA_BYTES);
    const run = this.#runs[chunk.runs[at] ?? NO_RUN];
    const [lastSeq = 0, events = 0, revision = 0] = [chunk.lastSeqs[at], chunk.events[at], chunk.revisions[at]];
    return {
      ...{ key, id: parsed?.domain === this.#domain ? parsed.aggregateId : null, revision, sha256 },
      canonicalSha256: this.#canonical.get(row) ?? sha256,
      stated: run === undefined ? null : { run, sha256: this.#statedHashes.get(row) ?? sha256, lastSeq, events },
    };
  }

  #place(row: number): { chunk: Chunk; at: number } {
    return { chunk: this.#chunks[Math.floor(row / CHUNK_ROWS)] as Chunk, at: row % CHUNK_ROWS };
  }

  /** A view. */
  #keyOf(row: number): Buffer {
    const { chunk, at } = this.#place(row);
    const from = chunk.keyAts[at] as number;
    const bytes = this.#keys[Math.floor(from / CHUNK_KEY_BYTES)] as Buffer;
    const within = from % CHUNK_KEY_BYTES;
    return bytes.subarray(within, within + (chunk.keyLengths[at] as number));
  }

  /** Nearly always by a number made of the bytes in which keys begin to differ: comparing whole keys takes ten times as long. */
  #sortedRows(): Uint32Array {
    const rows = Uint32Array.from({ length: this.size }, (_, row) => row);
    const common = this.#commonBytes();
    const firsts = Float64Array.from(rows, (row) => numberAt(this.#keyOf(row), common));
    return rows.sort((a, b) => (firsts[a] as number) - (firsts[b] as number) || this.#keyOf(a).compare(this.#keyOf(b)));
  }

  #commonBytes(): number {
    if (this.size === 0) return 0;
    const first = this.#keyOf(0);
    let common = first.length;
    for (let row = 1; row < this.size && common > 0; row++) {
      const key = this.#keyOf(row);
      let at = 0;
      while (at < common && key[at] === first[at]) at++;
      common = at;
    }
    return common;
  }
}

function newChunk(): Chunk {
  return {
    revisions: new Float64Array(CHUNK_ROWS),
    lastSeqs: new Float64Array(CHUNK_ROWS),
    events: new Uint32Array(CHUNK_ROWS),
    runs: new Int32Array(CHUNK_ROWS),
    hashes: Buffer.alloc(CHUNK_ROWS * SHA_BYTES),
    keyAts: new Float64Array(CHUNK_ROWS),
    keyLengths: new Uint16Array(CHUNK_ROWS),
  };
}

function keep(rare: Map<number, string>, row: number, value: string, usual: string): void {
  if (value === usual) rare.delete(row);
  else rare.set(row, value);
}

/** A shorter key sorts before those that go on from it: what is missing counts as zeros. */
function numberAt(key: Buffer, from: number): number {
  let number = 0;
  for (let at = from; at < from + SORTED_BY_BYTES; at++) number = number * 256 + (key[at] ?? 0);
  return number;
}
