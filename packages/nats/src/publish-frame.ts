import { MsgHdrsImpl, type NatsConnection } from "nats";

/** The part of the client's inside that is needed; it is not promised, so it is looked for before it is used. */
interface Protocol {
  outMsgs: number;
  outBytes: number;
  sendCommand(...parts: Uint8Array[]): void;
}

/** What a message is published with. */
export interface Frame {
  readonly subject: string;
  /** Null: nobody waits for an answer. */
  readonly reply: string | null;
  /** A whole header block, encoded. */
  readonly headers: Uint8Array;
  readonly payload: Uint8Array;
}

/** A header block that is encoded already, in the only shape that the client takes one in. */
class EncodedHeaders extends MsgHdrsImpl {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    super();
    this.#bytes = bytes;
  }

  override encode(): Uint8Array {
    return this.#bytes;
  }
}

const LINE_END = Buffer.from("\r\n");
const WHITESPACE = /\s/;

/**
 * As the client's `publish`, whose way of making a frame's first line takes as long as all the rest of a small message. What it
 * refuses, and every connection whose inside is not as known, goes to the client itself: throws what that throws.
 */
export function publishFrame(nc: NatsConnection, frame: Frame): void {
  const { subject, reply, headers, payload } = frame;
  const protocol = protocolOf(nc);
  const bytes = headers.byteLength + payload.byteLength;
  const isLegal = isToken(subject) && (reply === null || isToken(reply)) && bytes <= (nc.info?.max_payload ?? 0);
  if (protocol === null || !isLegal || nc.info?.headers !== true || nc.isClosed() || nc.isDraining()) {
    nc.publish(subject, payload, { ...(reply === null ? {} : { reply }), headers: new EncodedHeaders(headers) });
    return;
  }
  protocol.outMsgs += 1;
  protocol.outBytes += bytes;
  const to = reply === null ? subject : `${subject} ${reply}`;
  const line = Buffer.from(`HPUB ${to} ${headers.byteLength} ${bytes}\r\n`);
  protocol.sendCommand(line, headers, payload, LINE_END);
}

/** Anything else would be another command to the server. */
function isToken(text: string): boolean {
  return text !== "" && !WHITESPACE.test(text);
}

function protocolOf(nc: NatsConnection): Protocol | null {
  const { protocol } = nc as NatsConnection & { protocol?: Partial<Protocol> };
  const isKnown = typeof protocol?.sendCommand === "function" && typeof protocol.outBytes === "number";
  return isKnown ? (protocol as Protocol) : null;
}
