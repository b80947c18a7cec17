import { setImmediate as turn } from "node:timers/promises";
import type { DeletedSequences, SequenceRange, StreamMessage } from "@cim-replay/core";
import { type NatsClient, readSequential, streamFacts } from "@cim-replay/nats";
import type { Discrepancies } from "./discrepancies.ts";
import type { StreamFold } from "./stream-fold.ts";

/**
 * Between two turns of the event loop, in which leases are renewed and an abort is heard: however slow the projection is. Not more often:
 * each turn lets in what the server has ready, and messages that wait are garbage that has grown old.
 */
const TURN_EVERY_MS = 500;
const MESSAGES_BETWEEN_LOOKS = 100;
const MOST_GAPS = 1_000;

export interface StreamPassOptions {
  readonly stream: { readonly name: string; readonly created: string };
  readonly range: SequenceRange;
  /** Empty: every message, and each sequence is accounted for. */
  readonly filterSubjects: readonly string[];
  readonly deleted: DeletedSequences;
  /** Whether messages may go from the stream's front while it is read: then that is no gap. */
  readonly mayExpire: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (seq: number) => void;
}

export interface PassAccount {
  readonly delivered: number;
  /** Neither delivered nor known to be deleted. */
  readonly missing: number;
  /** Every message from here on was read that was there when the reading began. */
  readonly wholeFromSeq: number;
}

/**
 * Reads the range once, from its first to its last sequence, and hands each message to the fold. Of an unfiltered read every
 * sequence must be delivered or known to be deleted. Throws what `readSequential` throws.
 */
export async function streamPass(
  client: NatsClient,
  options: StreamPassOptions,
  fold: StreamFold,
  found: Discrepancies,
): Promise<PassAccount> {
  const { stream, range, filterSubjects, signal } = options;
  const account = new Account(options, found);
  const read = { stream: stream.name, created: stream.created, range, filterSubjects, signal };
  let turnedAt = performance.now();
  for await (const batch of readSequential(client, read)) {
    for (let at = 0; at < batch.length; at += MESSAGES_BETWEEN_LOOKS) {
      takeSome(batch, { from: at, to: Math.min(at + MESSAGES_BETWEEN_LOOKS, batch.length) }, account, fold);
      if (performance.now() - turnedAt < TURN_EVERY_MS) continue;
      await turn();
      signal.throwIfAborted();
      turnedAt = performance.now();
    }
    options.onProgress(account.nextSeq - 1);
  }
  account.passTo(range.toSeq + 1);
  account.end((await streamFacts(client, stream.name))?.firstSeq ?? 0);
  return account;
}

function takeSome(
  messages: readonly StreamMessage[],
  { from, to }: { from: number; to: number },
  account: Account,
  fold: StreamFold,
): void {
  for (let at = from; at < to; at++) {
    const message = messages[at];
    if (message === undefined) return;
    account.take(message.seq);
    fold.take(message);
  }
}

interface Gap {
  readonly toSeq: number;
  readonly absent: number;
  readonly first: number | null;
}

class Account implements PassAccount {
  delivered = 0;
  missing = 0;
  wholeFromSeq = 0;
  nextSeq: number;
  readonly #gaps: Gap[] = [];
  readonly #options: StreamPassOptions;
  readonly #found: Discrepancies;

  constructor(options: StreamPassOptions, found: Discrepancies) {
    this.#options = options;
    this.#found = found;
    this.nextSeq = options.range.fromSeq;
  }

  take(seq: number): void {
    if (seq !== this.nextSeq) this.passTo(seq);
    this.nextSeq = seq + 1;
    this.delivered += 1;
  }

  /** Everything from the last sequence to the one before `seq` must be deleted. */
  passTo(seq: number): void {
    const { filterSubjects, deleted } = this.#options;
    const gap = { fromSeq: this.nextSeq, toSeq: seq - 1 };
    this.nextSeq = seq;
    if (filterSubjects.length > 0 || gap.fromSeq > gap.toSeq) return;
    const absent = gap.toSeq - gap.fromSeq + 1 - deleted.countWithin(gap);
    if (absent === 0) return;
    const lacking = { toSeq: gap.toSeq, absent, first: deleted.firstPresent(gap) };
    if (this.#options.mayExpire && this.#gaps.length < MOST_GAPS) this.#gaps.push(lacking);
    else this.#report(lacking);
  }

  /** What lies before the stream's first sequence by now has gone meanwhile, and was not withheld. */
  end(firstSeq: number): void {
    for (const gap of this.#gaps) {
      if (gap.toSeq < firstSeq) this.wholeFromSeq = gap.toSeq + 1;
      else this.#report(gap);
    }
  }

  #report({ absent, first }: Gap): void {
    this.missing += absent;
    const { stream } = this.#options;
    this.#found.add(
      "source",
      `${absent} messages of ${stream.name} from sequence ${first} on were there a moment ago and are not delivered.`,
      { sequence: first },
    );
  }
}
