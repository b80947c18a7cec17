import { hash } from "node:crypto";
import { UsageError } from "@cim-replay/core";
import { countKeys, type Entry, getEntry, type NatsClient, readEntries } from "@cim-replay/nats";
import { keysOf, requireBucket } from "./entries-source.ts";
import { type KeyChange, KeyTally, type PathTotal, PathTally } from "./diff-tally.ts";
import { diffValues, type PathChange } from "./diff-value.ts";

/** About 130 bytes each, on each side. */
const KEYS_A_PASS = 500_000;
const KEYS_FETCHED_AT_ONCE = 64;

export interface DiffTask {
  readonly client: NatsClient;
  /** Two buckets. */
  readonly left: string;
  readonly right: string;
  /** Null: all keys of both. */
  readonly domain: string | null;
  /** How many keys of each kind are shown with what differs in them. */
  readonly samples: number;
  readonly signal: AbortSignal;
  readonly keysAPass?: number;
}

export interface KeysOfKind {
  readonly total: number;
  /** The first by name. */
  readonly samples: readonly KeyChange[];
}

export interface ProjectionDiff {
  readonly leftEntries: number;
  readonly rightEntries: number;
  /** Byte for byte. */
  readonly same: number;
  /** The same JSON value in other bytes: another order of keys, say. */
  readonly sameInOtherBytes: number;
  readonly changed: KeysOfKind;
  /** On the right only. */
  readonly added: KeysOfKind;
  /** On the left only. */
  readonly removed: KeysOfKind;
  readonly paths: readonly PathTotal[];
  readonly placesAtOtherPaths: number;
}

/**
 * How two buckets differ, key by key and by path in the value. Each is read completely, by the server's index. Where they are
 * written meanwhile: what differed is looked at again, and counts as what it is then. Throws ReplayError where a bucket is
 * missing, UsageError where both are one.
 *
 * A bucket is read in the order of its revisions, which on the other side is another: two of them cannot be merged as sorted
 * lists can. So of each key a hash of its value is kept, and the values of keys that differ are fetched at the
 * end. So that a bucket of any size fits, its keys are dealt by hash to passes of a bounded number of keys; each pass
 * reads both buckets.
 */
export async function diffProjections(task: DiffTask): Promise<ProjectionDiff> {
  const { client, left, right, domain, samples, keysAPass = KEYS_A_PASS } = task;
  if (left === right) {
    throw new UsageError(`Cannot compare bucket ${left} with itself. Give --left and --right two buckets.`);
  }
  const filter = keysOf(domain);
  for (const bucket of [left, right]) await requireBucket(client, bucket);
  const keys = Math.max(await countKeys(client, left, filter), await countKeys(client, right, filter));
  const passes = Math.max(1, Math.ceil(keys / keysAPass));
  const tally = new DiffTally(samples);
  for (let pass = 0; pass < passes; pass++) {
    const isOfPass = (key: string) => passes === 1 || passOf(key, passes) === pass;
    const leftHashes = await readHashes(task, left, filter, isOfPass);
    const rightHashes = await readHashes(task, right, filter, isOfPass);
    tally.leftEntries += leftHashes.size;
    tally.rightEntries += rightHashes.size;
    await lookAt(task, differing(leftHashes, rightHashes), tally);
  }
  return tally.result();
}

function passOf(key: string, passes: number): number {
  return hash("sha256", key, "buffer").readUInt32BE() % passes;
}

async function readHashes(
  { client, signal }: DiffTask,
  bucket: string,
  filter: string,
  isOfPass: (key: string) => boolean,
): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  for await (const batch of readEntries(client, bucket, filter)) {
    signal.throwIfAborted();
    // As text of one byte a character: the least that a hash takes in a Map.
    for (const { key, value } of batch) if (isOfPass(key)) hashes.set(key, hash("sha256", value, "binary"));
  }
  return hashes;
}

/** Keys whose hashes are not the same, or that are on one side only. */
function differing(left: ReadonlyMap<string, string>, right: ReadonlyMap<string, string>): string[] {
  const keys = [...left.keys()].filter((key) => left.get(key) !== right.get(key));
  for (const key of right.keys()) if (!left.has(key)) keys.push(key);
  return keys;
}

async function lookAt(task: DiffTask, keys: readonly string[], tally: DiffTally): Promise<void> {
  const { client, left, right, signal } = task;
  const valueIn = async (bucket: string, key: string) => presentValue(await getEntry(client, bucket, key));
  for (let at = 0; at < keys.length; at += KEYS_FETCHED_AT_ONCE) {
    signal.throwIfAborted();
    const some = keys.slice(at, at + KEYS_FETCHED_AT_ONCE);
    const pairs = await Promise.all(
      some.map(async (key) => ({ key, values: await Promise.all([valueIn(left, key), valueIn(right, key)]) })),
    );
    for (const { key, values } of pairs) tally.add(key, ...values);
  }
}

function presentValue(entry: Entry | null): Uint8Array | null {
  return entry === null || entry.deleted ? null : entry.value;
}

class DiffTally {
  leftEntries = 0;
  rightEntries = 0;
  readonly #changed: KeyTally;
  readonly #added: KeyTally;
  readonly #removed: KeyTally;
  readonly #paths = new PathTally();
  #sameInOtherBytes = 0;

  constructor(samples: number) {
    this.#changed = new KeyTally(samples);
    this.#added = new KeyTally(samples);
    this.#removed = new KeyTally(samples);
  }

  /** A key that differed when it was read, with its values now; null: none. */
  add(key: string, left: Uint8Array | null, right: Uint8Array | null): void {
    if (left === null && right === null) return;
    if (left === null) this.#added.add(key);
    else if (right === null) this.#removed.add(key);
    else if (Buffer.compare(left, right) !== 0) this.#addPair(key, diffValues(left, right));
  }

  #addPair(key: string, changes: readonly PathChange[]): void {
    if (changes.length === 0) {
      this.#sameInOtherBytes += 1;
      return;
    }
    this.#changed.add(key, changes);
    this.#paths.add(changes);
  }

  result(): ProjectionDiff {
    return {
      leftEntries: this.leftEntries,
      rightEntries: this.rightEntries,
      same: Math.max(0, this.leftEntries - this.#removed.total - this.#changed.total - this.#sameInOtherBytes),
      sameInOtherBytes: this.#sameInOtherBytes,
      changed: this.#changed,
      added: this.#added,
      removed: this.#removed,
      paths: this.#paths.totals(),
      placesAtOtherPaths: this.#paths.elsewhere,
    };
  }
}
