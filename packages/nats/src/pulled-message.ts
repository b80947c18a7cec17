import { type Msg, type MsgHdrs, MsgHdrsImpl } from "nats";
import type { MessageFrame } from "./frame-splitter.ts";

/** `data` and `headerBlock` are views into what the socket delivered: copy what is kept. */
export interface PulledMessage {
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
  /** The headers as they came; null where there are none, or they are not at hand. */
  readonly headerBlock: Uint8Array | null;
  /** Made when asked for, which costs more than all the rest. */
  readonly headers: MsgHdrs | undefined;
}

/** As it lies in the bytes from the socket. */
export class FramedPull implements PulledMessage {
  readonly seq: number;
  readonly #bytes: Buffer;
  readonly #subjectAt: number;
  readonly #subjectEnd: number;
  readonly #headersAt: number;
  readonly #payloadAt: number;
  readonly #payloadEnd: number;

  constructor(seq: number, frame: MessageFrame) {
    this.seq = seq;
    this.#bytes = frame.bytes;
    this.#subjectAt = frame.subjectAt;
    this.#subjectEnd = frame.subjectEnd;
    this.#headersAt = frame.headersAt;
    this.#payloadAt = frame.payloadAt;
    this.#payloadEnd = frame.payloadEnd;
  }

  get subject(): string {
    return this.#bytes.toString("utf8", this.#subjectAt, this.#subjectEnd);
  }

  get data(): Uint8Array {
    return this.#view(this.#payloadAt, this.#payloadEnd);
  }

  get headerBlock(): Uint8Array | null {
    return this.#headersAt < this.#payloadAt ? this.#view(this.#headersAt, this.#payloadAt) : null;
  }

  get headers(): MsgHdrs | undefined {
    const block = this.headerBlock;
    return block === null ? undefined : MsgHdrsImpl.decode(block);
  }

  #view(at: number, end: number): Uint8Array {
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + at, end - at);
  }
}

/** As the client library delivers it. */
export class DeliveredPull implements PulledMessage {
  readonly seq: number;
  readonly #message: Msg;

  constructor(seq: number, message: Msg) {
    this.seq = seq;
    this.#message = message;
  }

  get subject(): string {
    return this.#message.subject;
  }

  get data(): Uint8Array {
    return this.#message.data;
  }

  get headers(): MsgHdrs | undefined {
    return this.#message.headers;
  }

  get headerBlock(): Uint8Array | null {
    return null;
  }
}
