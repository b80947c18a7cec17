import { createHash, hash } from "node:crypto";
import type { StreamMessage } from "@cim-replay/core";

const BLOCK_SEQUENCES = 16_384;
/** Records are gathered to this size before they are hashed: hashing them one by one costs ten times as much. */
const GATHERED_BYTES = 64 * 1024;
const NO_TEXTS: readonly string[] = [];

export interface ContentDigest {
  readonly events: number;
  /** Hex. */
  readonly sha256: string;
}

/** What is hashed of one block that is still being read. */
interface OpenBlock {
  readonly hash: ReturnType<typeof createHash>;
  messages: number;
}

/**
 * The content digest of each partition, from messages in stream order: docs/certificate.md has the definition. Written from
 * the definition and not from the worker's code, so that a mistake in one is not a mistake in both.
 */
export class ContentChains {
  readonly #chains: Chain[];
  #block = -1;

  constructor(partitions: number) {
    this.#chains = Array.from({ length: partitions }, () => new Chain());
  }

  add(partition: number, message: StreamMessage): void {
    const block = Math.floor(message.seq / BLOCK_SEQUENCES);
    if (block !== this.#block) this.#close(block);
    this.#chains[partition]?.append(message);
  }

  end(): ContentDigest[] {
    this.#close(-1);
    return this.#chains.map(({ events, value }) => ({ events, sha256: value.toString("hex") }));
  }

  #close(next: number): void {
    for (const chain of this.#chains) chain.closeBlock(this.#block);
    this.#block = next;
  }
}

class Chain {
  events = 0;
  value: Buffer = Buffer.alloc(32);
  #open: OpenBlock | null = null;
  #gathered: Buffer | null = null;
  #size = 0;

  append(message: StreamMessage): void {
    const { seq, subject, data } = message;
    this.#open ??= { hash: createHash("sha256"), messages: 0 };
    this.#open.messages += 1;
    const headers = headerTexts(message);
    // A character of a text takes three bytes at most.
    const texts = headers.reduce((sum, text) => sum + 4 + text.length * 3, subject.length * 3);
    const most = 8 + 4 + texts + 4 + 4 + data.length;
    const into = this.#roomFor(most);
    let at = into.writeUInt32BE(Math.floor(seq / 2 ** 32), this.#size);
    at = into.writeUInt32BE(seq % 2 ** 32, at);
    const subjectBytes = into.write(subject, at + 4, "utf8");
    at = into.writeUInt32BE(subjectBytes, at) + subjectBytes;
    const headersAt = at + 4;
    let headersEnd = headersAt;
    for (const text of headers) {
      const bytes = into.write(text, headersEnd + 4, "utf8");
      headersEnd = into.writeUInt32BE(bytes, headersEnd) + bytes;
    }
    into.writeUInt32BE(headersEnd - headersAt, at);
    at = into.writeUInt32BE(data.length, headersEnd);
    into.set(data, at);
    this.#size = at + data.length;
  }

  closeBlock(block: number): void {
    if (this.#open === null) return;
    this.#flush();
    const { hash: records, messages } = this.#open;
    const place = Buffer.alloc(12);
    place.writeBigUInt64BE(BigInt(block));
    place.writeUInt32BE(messages, 8);
    this.value = hash("sha256", Buffer.concat([this.value, place, records.digest()]), "buffer");
    this.events += messages;
    this.#open = null;
  }

  #roomFor(bytes: number): Buffer {
    if (this.#gathered && this.#size + bytes <= this.#gathered.length) return this.#gathered;
    this.#flush();
    if (this.#gathered === null || this.#gathered.length < bytes) {
      this.#gathered = Buffer.allocUnsafe(Math.max(GATHERED_BYTES, bytes));
    }
    return this.#gathered;
  }

  #flush(): void {
    if (this.#gathered && this.#size > 0) this.#open?.hash.update(this.#gathered.subarray(0, this.#size));
    this.#size = 0;
    // One very large message does not leave a very large buffer behind for each partition.
    if (this.#gathered && this.#gathered.length > GATHERED_BYTES) this.#gathered = null;
  }
}

/** Each name and its joined values, in the order delivered, which an object would not keep where names are numbers. */
function headerTexts(message: StreamMessage): readonly string[] {
  const pairs = message.headerPairs ?? Object.entries(message.headers ?? {});
  if (pairs.length === 0) return NO_TEXTS;
  const texts: string[] = [];
  for (const [name, value] of pairs) {
    // All values of a name stand together.
    if (texts.at(-2) === name) texts.push(`${texts.pop()}, ${value}`);
    else texts.push(name, value);
  }
  return texts;
}
