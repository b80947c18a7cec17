import { isAscii } from "node:buffer";
import {
  type EventHeaders,
  type HeaderPair,
  joinedHeaders,
  type RawMessage,
  type StreamMessage,
} from "@cim-replay/core";
import type { MessageFrame } from "./frame-splitter.ts";
import { headerPairsIn } from "./header-block.ts";

const NO_PAIRS: readonly HeaderPair[] = [];

/** Where a message lies; read at once, so that one object may serve for all. */
export type MessagePlace = Omit<MessageFrame, "replyAt" | "replyEnd">;

/** A message as it lies in larger bytes, which stay in memory for as long as it does; all but its sequence is read when asked for. */
export abstract class MessageInBytes implements StreamMessage, RawMessage {
  abstract readonly receivedAtMs: number;
  readonly seq: number;
  readonly bytes: Buffer;
  readonly subjectAt: number;
  readonly subjectEnd: number;
  readonly headersAt: number;
  readonly payloadAt: number;
  readonly payloadEnd: number;
  readonly isAscii: boolean;
  #pairs: readonly HeaderPair[] | undefined;
  #headers: EventHeaders | undefined;

  constructor(seq: number, place: MessagePlace) {
    this.seq = seq;
    this.bytes = place.bytes;
    this.subjectAt = place.subjectAt;
    this.subjectEnd = place.subjectEnd;
    this.headersAt = place.headersAt;
    this.payloadAt = place.payloadAt;
    this.payloadEnd = place.payloadEnd;
    this.isAscii = place.isAscii;
  }

  get subject(): string {
    return this.bytes.toString("utf8", this.subjectAt, this.subjectEnd);
  }

  get headers(): EventHeaders | undefined {
    if (this.headersAt === this.payloadAt) return undefined;
    this.#headers ??= joinedHeaders(this.headerPairs);
    return this.#headers;
  }

  get headerPairs(): readonly HeaderPair[] {
    if (this.headersAt === this.payloadAt) return NO_PAIRS;
    this.#pairs ??= headerPairsIn(this.bytes.subarray(this.headersAt, this.payloadAt));
    return this.#pairs;
  }

  get raw(): RawMessage {
    return this;
  }

  /** A view costs less than a Buffer. Who can takes the bytes through `raw` instead: that needs none. */
  get data(): Uint8Array {
    const { buffer, byteOffset } = this.bytes;
    return new Uint8Array(buffer, byteOffset + this.payloadAt, this.payloadEnd - this.payloadAt);
  }

  get asciiText(): string | undefined {
    // One letter of another alphabet makes a whole chunk none: then each payload is looked at by itself.
    return this.isAscii || isAscii(this.data)
      ? this.bytes.toString("latin1", this.payloadAt, this.payloadEnd)
      : undefined;
  }
}
