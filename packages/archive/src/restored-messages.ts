import type { StreamMessage } from "@cim-replay/core";
import { type NatsClient, readSequential, type StreamFacts } from "@cim-replay/nats";
import { originalOf } from "./origin.ts";
import { eventLine } from "./records.ts";

/** Of one stream, the messages that a restore of one origin has written, as their lines in the archive. */
export class RestoredMessages implements AsyncDisposable {
  /** Messages that were met and are not of that origin. */
  foreign = 0;
  readonly #origin: string;
  readonly #batches: AsyncIterator<readonly StreamMessage[]> | null;
  #batch: readonly StreamMessage[] = [];
  #at = 0;

  /** `facts`: null where there is no stream. */
  constructor(client: NatsClient, facts: StreamFacts | null, origin: string, signal: AbortSignal) {
    this.#origin = origin;
    this.#batches = facts && facts.messages > 0 ? read(client, facts, signal) : null;
  }

  /** The next one's line and original sequence; undefined where more must be fetched first. */
  take(): { readonly line: string; readonly seq: number } | undefined {
    while (this.#at < this.#batch.length) {
      const message = this.#batch[this.#at++];
      const original = message && originalOf(message);
      if (original?.origin === this.#origin) return { line: eventLine(original.event), seq: original.event.seq };
      this.foreign += 1;
    }
    return undefined;
  }

  /** False at the end. */
  async fetch(): Promise<boolean> {
    const next = await this.#batches?.next();
    if (!next || next.done) return false;
    this.#batch = next.value;
    this.#at = 0;
    return true;
  }

  async next(): Promise<{ readonly line: string; readonly seq: number } | null> {
    for (;;) {
      const found = this.take();
      if (found) return found;
      if (!(await this.fetch())) return null;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#batches?.return?.();
  }
}

function read(client: NatsClient, facts: StreamFacts, signal: AbortSignal): AsyncIterator<readonly StreamMessage[]> {
  const range = { fromSeq: facts.firstSeq, toSeq: facts.lastSeq };
  return readSequential(client, { stream: facts.name, created: facts.created, range, signal });
}
