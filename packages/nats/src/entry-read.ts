import { setTimeout as sleep } from "node:timers/promises";
import { ReplayError, type StreamMessage } from "@cim-replay/core";

import { DeliverPolicy } from "@nats-io/jetstream";
import { headers, type MsgHdrs } from "nats";
import type { NatsClient } from "./connect.ts";
import { countKeys, type Entry, type EntryHead, headOf } from "./entries.ts";
import { bucketStream, keySubject } from "./kv-layout.ts";
import { lastMessage } from "./kv-read.ts";
import { provenanceIn } from "./entry-headers.ts";
import { PullInterrupted, pullToEnd } from "./message-pull.ts";

/** Passes that may end incomplete; one that was interrupted but got further does not count. */
const FRUITLESS_PASSES = 10;
const BETWEEN_PASSES_MS = 200;

/**
 * The newest revision of every key under a filter such as `graph.>`, delete markers included, without the values, in
 * batches and in ascending order of revisions. Complete: no key that was there at the start is missing, by the server's
 * subject index. A key that is written while this reads may come again, with its newer revision: the last one counts.
 * Throws ReplayError where the bucket does not hold still for long enough, or is missing.
 */
export async function* readHeads(
  client: NatsClient,
  bucket: string,
  keyFilter: string,
): AsyncGenerator<readonly EntryHead[]> {
  const keyAt = keySubject(bucket, "").length;
  for await (const batch of readNewest(client, bucket, keyFilter, true)) {
    yield batch.map((message) => headIn(message, keyAt));
  }
}

/**
 * As `readHeads`, with the values and without the deleted. Values are views into what the socket delivered, good for as long
 * as the batch is worked on: whoever keeps one copies it, or keeps far more than that.
 */
export async function* readEntries(
  client: NatsClient,
  bucket: string,
  keyFilter: string,
): AsyncGenerator<readonly Entry[]> {
  const keyAt = keySubject(bucket, "").length;
  for await (const batch of readNewest(client, bucket, keyFilter, false)) {
    const entries: Entry[] = [];
    for (const message of batch) {
      const { key, revision, deleted, provenance } = headIn(message, keyAt);
      if (!deleted) entries.push({ key, revision, deleted, provenance, value: message.data });
    }
    if (entries.length > 0) yield entries;
  }
}

/** Most entries are a replay's own: for those the client's header objects, which cost more than all the rest, are not made. */
function headIn(message: StreamMessage, keyAt: number): EntryHead {
  const { seq: revision, raw } = message;
  const key = message.subject.slice(keyAt);
  const provenance = raw && provenanceIn(raw.bytes.subarray(raw.headersAt, raw.payloadAt));
  return provenance ? { key, revision, deleted: false, provenance } : headOf(key, revision, headersOf(message));
}

function headersOf({ headerPairs = [] }: StreamMessage): MsgHdrs {
  const made = headers();
  for (const [name, value] of headerPairs) made.append(name, value);
  return made;
}

/** What one pass must bring to be complete. */
interface Expectation {
  readonly keys: number;
  /** Highest revision under the filter when the keys were counted; 0 where there is none. */
  readonly lastRevision: number;
}

async function* readNewest(
  client: NatsClient,
  bucket: string,
  keyFilter: string,
  headersOnly: boolean,
): AsyncGenerator<readonly StreamMessage[]> {
  const config = {
    deliver_policy: DeliverPolicy.LastPerSubject,
    filter_subject: keySubject(bucket, keyFilter),
    headers_only: headersOnly,
  };
  let reached = 0;
  let why = "";
  for (let fruitless = 0; fruitless < FRUITLESS_PASSES; fruitless++) {
    const expected = await expectation(client, bucket, keyFilter);
    if (expected.keys === 0) return;
    const pass = new Pass(expected);
    const reachedBefore = reached;
    try {
      for await (const batch of pullToEnd(client, bucketStream(bucket), config)) {
        pass.take(batch);
        const fresh = reached === 0 ? batch : batch.filter(({ seq }) => seq > reached);
        if (fresh.length === 0) continue;
        reached = fresh.at(-1)?.seq ?? reached;
        yield fresh;
      }
    } catch (error) {
      if (!(error instanceof PullInterrupted)) throw error;
      why = `the last one broke off (${error.message})`;
      if (reached > reachedBefore) fruitless = 0;
      await sleep(BETWEEN_PASSES_MS);
      continue;
    }
    if (pass.isComplete(await lastRevision(client, bucket, keyFilter))) return;
    why = `the server counts ${expected.keys} keys and delivers ${pass.keys}`;
    await sleep(BETWEEN_PASSES_MS);
  }
  throw new ReplayError(
    `Cannot read bucket ${bucket} (${keyFilter}) completely: ${FRUITLESS_PASSES} attempts in a row came no further, ${why}. ` +
      "Stop what deletes there, or see the server's log, and run the command again.",
  );
}

/** Counted after the revision is pinned: every key that is counted and not newer is in what a pass delivers. */
async function expectation(client: NatsClient, bucket: string, keyFilter: string): Promise<Expectation> {
  const last = await lastRevision(client, bucket, keyFilter);
  return { lastRevision: last, keys: await countKeys(client, bucket, keyFilter) };
}

/** The highest revision under a filter, delete markers included; 0 where nothing was ever written there. */
export async function lastRevision(client: NatsClient, bucket: string, keyFilter: string): Promise<number> {
  const what = `read the last revision of bucket ${bucket}`;
  return (await lastMessage(client, bucketStream(bucket), keySubject(bucket, keyFilter), what))?.seq ?? 0;
}

/** Counts the keys that one pass delivers, each once, with memory only for those written during it. */
class Pass {
  readonly #expected: Expectation;
  readonly #written = new Set<string>();
  #untouched = 0;
  #lastSeq = 0;

  constructor(expected: Expectation) {
    this.#expected = expected;
  }

  take(batch: readonly StreamMessage[]): void {
    for (const message of batch) {
      const { seq } = message;
      if (seq <= this.#lastSeq) throw new PullInterrupted("the server delivers out of order");
      this.#lastSeq = seq;
      // Of one key only the newest revision is delivered, so two of them cannot both be this old.
      if (seq <= this.#expected.lastRevision) this.#untouched++;
      else this.#written.add(message.subject);
    }
  }

  get keys(): number {
    return this.#untouched + this.#written.size;
  }

  /** `lastRevisionNow`: taken after the pass. Where nothing was written meanwhile the counts must agree exactly. */
  isComplete(lastRevisionNow: number): boolean {
    const { keys, lastRevision } = this.#expected;
    return lastRevisionNow === lastRevision ? this.keys === keys : this.keys >= keys;
  }
}
