import { ConflictingWriterError, type HeaderPair, ReplayError } from "@cim-replay/core";
import type { NatsClient } from "./connect.ts";
import { type Ack, type Answer, storedAt } from "./publish-ack.ts";
import { type Outgoing, PublishWindow } from "./publish-window.ts";
import { withRetries } from "./publish-retry.ts";

const MAX_PENDING = 4_000;
const MAX_PENDING_BYTES = 16 * 1024 * 1024;
const MSG_ID = "Nats-Msg-Id";
/** How far back a message id that comes again is known without asking the server. */
const IDS_KEPT = 200_000;

export interface OrderedMessage {
  readonly subject: string;
  readonly headers: readonly HeaderPair[];
  readonly data: Uint8Array;
}

interface Pending extends Outgoing {
  readonly message: OrderedMessage;
  /** Where it must come to lie. */
  readonly seq: number;
  headers: Uint8Array;
  isDuplicate: boolean;
}

/**
 * Appends messages to a stream in exactly their order, without waiting for each answer: each is on condition that the one
 * before it is the stream's last. So nothing is lost, doubled or turned round by a lost connection, and nobody else writes
 * in between unseen. A message whose id the server still remembers would be dropped as a duplicate: such an id is sent
 * under the name `renamedId`.
 */
export class OrderedWriter {
  readonly #client: NatsClient;
  readonly #stream: string;
  readonly #renamedId: string;
  readonly #window: PublishWindow<Pending>;
  readonly #ids = new Set<string>();
  #lastSeq: number;
  #renamed = 0;

  /** `lastSeq`: of the stream now. */
  constructor(client: NatsClient, stream: string, lastSeq: number, renamedId: string) {
    this.#client = client;
    this.#stream = stream;
    this.#lastSeq = lastSeq;
    this.#renamedId = renamedId;
    this.#window = new PublishWindow(
      client,
      {
        what: `write messages to stream ${stream}`,
        onStored: (item, answer) => this.#onStored(item, answer),
        onRefused: (item, ack) => this.#onRefused(item, ack),
        resolve: (item) => this.#resolve(item),
      },
      { maxPending: MAX_PENDING, maxPendingBytes: MAX_PENDING_BYTES },
    );
  }

  /** Messages whose id the server would have taken for one that it had. */
  get renamedIds(): number {
    return this.#renamed;
  }

  /** Undefined while there is room, else a promise to wait for before the next. The message must not be changed. */
  put(message: OrderedMessage): Promise<void> | undefined {
    const seq = ++this.#lastSeq;
    const headers = this.#encode(message, seq, this.#isRepeated(message));
    const { subject, data: payload } = message;
    return this.#window.send({ message, seq, headers, subject, payload, isDuplicate: false, sends: 0 });
  }

  /** Waits until all are stored. Throws ConflictingWriterError where somebody else wrote to the stream. */
  async flush(): Promise<void> {
    await this.#window.drain();
  }

  #isRepeated({ headers }: OrderedMessage): boolean {
    const id = headers.find(([name]) => name === MSG_ID)?.[1];
    if (id === undefined) return false;
    if (this.#ids.has(id)) return true;
    if (this.#ids.size >= IDS_KEPT) for (const oldest of this.#ids) if (this.#ids.delete(oldest)) break;
    this.#ids.add(id);
    return false;
  }

  #encode({ headers }: OrderedMessage, seq: number, renameId: boolean): Uint8Array {
    if (renameId) this.#renamed += 1;
    let block = "NATS/1.0\r\n";
    for (const [name, value] of headers) {
      block += `${renameId && name === MSG_ID ? this.#renamedId : name}: ${value}\r\n`;
    }
    block += `Nats-Expected-Stream: ${this.#stream}\r\nNats-Expected-Last-Sequence: ${seq - 1}\r\n\r\n`;
    return Buffer.from(block, "utf8");
  }

  /** A good answer names another place where the message was taken for a duplicate and not stored. */
  #onStored(item: Pending, answer: Answer): "settled" | "doubtful" {
    if (storedAt(answer).duplicate !== true) return "settled";
    item.isDuplicate = true;
    return "doubtful";
  }

  #onRefused({ seq }: Pending, ack: Exclude<Ack, { kind: "stored" | "not-available" }>): "doubtful" {
    // Where one was not stored, all behind it are refused as well.
    if (ack.kind === "wrong-revision") return "doubtful";
    throw new ReplayError(
      `Cannot write message ${seq} of stream ${this.#stream}: ${ack.words}. Put that right, then run it again: it goes on where it was.`,
    );
  }

  async #resolve(item: Pending): Promise<"settled" | "send-again"> {
    const { message, seq } = item;
    const stored = await withRetries(this.#client, `look at message ${seq} of stream ${this.#stream}`, () =>
      this.#client.jsm.streams.getMessage(this.#stream, { seq }),
    );
    if (stored === null) {
      if (item.isDuplicate) item.headers = this.#encode(message, seq, true);
      item.isDuplicate = false;
      return "send-again";
    }
    const isOurs = Buffer.compare(stored.data, message.data) === 0 && hasAll(stored.header, message.headers);
    if (isOurs) return "settled";
    throw new ConflictingWriterError(
      `Cannot write on to stream ${this.#stream}: somebody else has written to it (sequence ${seq}), in between. Stop whoever writes there, and write to another stream, or purge this one first.`,
    );
  }
}

function hasAll(stored: { values(name: string): string[] } | undefined, wanted: readonly HeaderPair[]): boolean {
  return wanted.every(([name, value]) => name === MSG_ID || (stored?.values(name).includes(value) ?? false));
}
