import type { EventHeaders, StreamMessage } from "@cim-replay/core";
import type { Msg } from "nats";

const DOT = 46;
const LONG_FORM_TOKENS = 11;

/**
 * Where the stream sequence begins in the reply subject of a delivered message, −1 where it is none:
 * `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<nanoseconds>.<pending>`, on other servers with
 * `<domain>.<account>` after `$JS.ACK` and a random token at the end.
 */
export function sequenceOffset(reply: string): number {
  if (!reply.startsWith("$JS.ACK.")) return -1;
  let tokens = 1;
  for (let i = 0; i < reply.length; i++) if (reply.charCodeAt(i) === DOT) tokens++;
  if (tokens < 9) return -1;
  return afterDots(reply, tokens >= LONG_FORM_TOKENS ? 7 : 5);
}

function afterDots(text: string, dots: number): number {
  let at = 0;
  for (let i = 0; i < dots; i++) at = text.indexOf(".", at) + 1;
  return at;
}

/** One delivered message; all but its sequence is read when asked for. `data` is a view of the socket's chunk. */
export class DeliveredMessage implements StreamMessage {
  readonly seq: number;
  readonly #received: Msg;

  constructor(seq: number, received: Msg) {
    this.seq = seq;
    this.#received = received;
  }

  get subject(): string {
    return this.#received.subject;
  }

  get data(): Uint8Array {
    return this.#received.data;
  }

  get receivedAtMs(): number {
    const reply = this.#received.reply ?? "";
    const from = reply.indexOf(".", reply.indexOf(".", sequenceOffset(reply)) + 1) + 1;
    // Nanoseconds do not fit a number: the last six digits are left out.
    return Number(reply.slice(from, reply.indexOf(".", from) - 6));
  }

  get headers(): EventHeaders | undefined {
    const received = this.#received.headers;
    if (!received) return undefined;
    const headers: Record<string, string> = Object.create(null);
    for (const [name, values] of received) headers[name] = values.join(", ");
    return headers;
  }
}
