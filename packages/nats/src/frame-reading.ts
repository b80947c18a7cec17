import type { NatsConnection, Subscription } from "nats";
import { type FrameHandler, FrameSplitter } from "./frame-splitter.ts";

/** The part of the client's inside that is needed; it is not promised, so each piece is looked for before it is used. */
interface Parser {
  state: unknown;
  parse(bytes: Uint8Array): void;
}

interface Protocol {
  parser: Parser;
  inMsgs: number;
  inBytes: number;
}

const BETWEEN_FRAMES = 0;
const splitters = new WeakMap<Parser, FrameSplitter>();

/**
 * A splitter in front of the connection's own parser: the library's costs several times as much a message. Connecting,
 * TLS, signing and every other frame stay with the library. Null where its inside is not as known: it then reads
 * everything itself. A reconnected connection has a new parser and needs a new call.
 */
export function splitterOf(nc: NatsConnection): FrameSplitter | null {
  const protocol = protocolOf(nc);
  if (!protocol) return null;
  const { parser } = protocol;
  const known = splitters.get(parser);
  if (known) return known;
  const parse = parser.parse.bind(parser);
  // What passes the library by still counts in its statistics.
  const count = (payloadBytes: number) => {
    protocol.inMsgs += 1;
    protocol.inBytes += payloadBytes;
  };
  const splitter = new FrameSplitter(parse, count, () => parser.state === BETWEEN_FRAMES);
  parser.parse = (bytes) => splitter.take(asBuffer(bytes));
  splitters.set(parser, splitter);
  return splitter;
}

/**
 * Has a subscription's messages handed over as frames, and only statuses by its callback; returns what ends that. Where there
 * can be no splitter, and once the connection was lost, all comes by the callback.
 */
export function watchFrames(nc: NatsConnection, subscription: Subscription, handler: FrameHandler): () => void {
  const splitter = splitterOf(nc);
  const id = subscription.getID();
  splitter?.watch(id, handler);
  return () => splitter?.unwatch(id);
}

/** The payload of a frame, as a view. */
export function payloadOf({ bytes, payloadAt, payloadEnd }: Parameters<FrameHandler>[0]): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + payloadAt, payloadEnd - payloadAt);
}

/** Whether a splitter can sit in front of this connection's parser. */
export function canSplitFrames(nc: NatsConnection): boolean {
  return protocolOf(nc) !== null;
}

function protocolOf(nc: NatsConnection): Protocol | null {
  const { protocol } = nc as NatsConnection & { protocol?: Partial<Protocol> };
  const parser = protocol?.parser;
  const isKnown = typeof parser?.parse === "function" && "state" in parser && typeof protocol?.inMsgs === "number";
  return isKnown ? (protocol as Protocol) : null;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
