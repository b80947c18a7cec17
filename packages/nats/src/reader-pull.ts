import { ReplayError, type StreamMessage } from "@cim-replay/core";
import type { Msg } from "nats";
import type { NatsClient } from "./connect.ts";
import { permissionDenied, violationIn } from "./denied.ts";
import { type Lane, nextRequest } from "./reader-lane.ts";
import { splitterOf } from "./frame-reading.ts";
import type { FrameSplitter, MessageFrame } from "./frame-splitter.ts";
import { DeliveredMessage, FramedMessage, replyOf, sequenceOffset } from "./reader-message.ts";
import type { ReadPosition } from "./reader-position.ts";
import type { MessageQueue } from "./reader-queue.ts";

const DOT = 46;
const ZERO = 48;
const EXPIRES_NANOS = 30_000_000_000;
const FIRST_SHARES = [0.5, 0.25];
const SHARE = 0.5;

/** The library's own accounting; its public `Msg` leaves it out. The server counts the same bytes against `max_bytes`. */
type SizedMsg = Msg & { size(): number };

export interface PullTarget {
  readonly stream: string;
  readonly consumer: string;
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** Who splits what comes from the socket; "own" falls back to the library where it cannot. */
  readonly parser: "own" | "library";
}

/**
 * Pulls one consumer dry into the queue, as far ahead as the window allows. Deliveries that are not the very next of
 * the consumer end it (`lost`): it never repairs, and never lets a gap through.
 */
export class Pull {
  /** Why nothing more comes from this consumer. */
  lost: string | null = null;
  /** Where going on with another consumer would not help. */
  failure: ReplayError | null = null;
  readonly #client: NatsClient;
  readonly #target: PullTarget;
  readonly #position: ReadPosition;
  readonly #queue: MessageQueue;
  readonly #lanes: readonly Lane[];
  readonly #nextSubject: string;
  readonly #splitter: FrameSplitter | null;
  readonly #stopDenials: () => void;
  #delivered = 0;
  #sequenceAt = 0;
  #oversized = false;

  constructor(client: NatsClient, target: PullTarget, position: ReadPosition, queue: MessageQueue) {
    this.#client = client;
    this.#target = target;
    this.#position = position;
    this.#queue = queue;
    this.#nextSubject = `${client.apiPrefix}.CONSUMER.MSG.NEXT.${target.stream}.${target.consumer}`;
    this.#stopDenials = client.denials.onDenied((violation) => {
      if (violation.subject === this.#nextSubject)
        this.#fail(permissionDenied(`read stream ${target.stream}`, violation));
    });
    this.#splitter = target.parser === "own" ? splitterOf(client.nc) : null;
    this.#lanes = FIRST_SHARES.map((share) => this.#openLane(share));
  }

  /** False: the client's own parser reads. */
  get splitsFrames(): boolean {
    return this.#splitter !== null;
  }

  /** Sends the requests that there is room for. */
  ask(): void {
    if (this.lost !== null || this.#position.ended) return;
    for (const lane of this.#lanes) if (lane.messages === 0) this.#askOn(lane);
  }

  lose(why: string): void {
    if (this.lost !== null) return;
    this.lost = why;
    this.close();
    this.#queue.wake();
  }

  #fail(failure: ReplayError): void {
    this.failure ??= failure;
    this.lose(failure.message);
  }

  close(): void {
    this.#stopDenials();
    for (const { subscription } of this.#lanes) {
      this.#splitter?.unwatch(subscription.getID());
      subscription.unsubscribe();
    }
  }

  #openLane(share: number): Lane {
    const subscription = this.#client.nc.subscribe(this.#client.newInbox(), {
      callback: (error, message) => {
        const violation = violationIn(error);
        if (violation) this.#fail(permissionDenied(`read stream ${this.#target.stream}`, violation));
        else if (error) this.lose(error.message);
        else this.#receive(lane, message as SizedMsg);
      },
    });
    const lane: Lane = { subscription, messages: 0, bytes: 0, askedMessages: 0, share };
    // Statuses still come by the callback, in their turn.
    this.#splitter?.watch(subscription.getID(), (frame) => this.#receiveFrame(lane, frame));
    return lane;
  }

  #askOn(lane: Lane): void {
    const { nc } = this.#client;
    if (nc.isClosed() || nc.isDraining()) {
      this.lose("the connection was closed");
      return;
    }
    const request = nextRequest(lane.share, {
      maxMessages: this.#target.maxMessages,
      maxBytes: this.#target.maxBytes,
      heldMessages: this.#queue.heldMessages,
      heldBytes: this.#queue.heldBytes,
      inFlightMessages: this.#lanes.reduce((sum, { messages }) => sum + messages, 0),
      inFlightBytes: this.#lanes.reduce((sum, { bytes }) => sum + bytes, 0),
      // One more than the range holds: the first message behind it is what shows its end.
      remaining: this.#position.toSeq - this.#position.lastSeq + 1,
      oversized: this.#oversized,
    });
    if (request === null) return;
    lane.messages = request.messages;
    lane.askedMessages = request.messages;
    lane.bytes = request.bytes;
    lane.share = SHARE;
    const bounded = Number.isFinite(request.bytes) ? { max_bytes: request.bytes } : {};
    const body = JSON.stringify({ batch: request.messages, expires: EXPIRES_NANOS, ...bounded });
    nc.publish(this.#nextSubject, body, { reply: lane.subscription.getSubject() });
  }

  /** As the library delivers it. */
  #receive(lane: Lane, message: SizedMsg): void {
    const reply = replyOf(message);
    if (reply === null) {
      this.#receiveStatus(lane, message);
      return;
    }
    const seq = this.#nextSequence(reply, 0, reply.length);
    if (seq !== null) this.#accept(lane, seq, message.size(), new DeliveredMessage(seq, message));
  }

  #receiveFrame(lane: Lane, frame: MessageFrame): void {
    const { bytes, replyAt, replyEnd } = frame;
    const seq = this.#nextSequence(bytes, replyAt, replyEnd);
    if (seq === null) return;
    const size = frame.subjectEnd - frame.subjectAt + replyEnd - replyAt + frame.payloadEnd - frame.headersAt;
    this.#accept(lane, seq, size, new FramedMessage(seq, frame));
  }

  /**
   * The stream sequence that the reply subject states; null where nothing more is wanted, or deliveries were lost. Runs for
   * every message of a replay: the reply subject is read byte by byte, and nothing else of the message at all.
   */
  #nextSequence(bytes: Uint8Array, replyAt: number, replyEnd: number): number | null {
    if (this.lost !== null || this.#position.ended) return null;
    // The same place in all replies of a consumer, as long as all before it stays as long.
    if (bytes[replyAt + this.#sequenceAt - 1] !== DOT) {
      this.#sequenceAt = sequenceOffset(bytes.subarray(replyAt, replyEnd));
    }
    let at = replyAt + this.#sequenceAt;
    let seq = 0;
    for (let digit = bytes[at] ?? 0; digit >= ZERO; digit = bytes[++at] ?? 0) seq = seq * 10 + digit - ZERO;
    let delivery = 0;
    for (let digit = bytes[++at] ?? 0; digit >= ZERO; digit = bytes[++at] ?? 0) delivery = delivery * 10 + digit - ZERO;
    if (delivery === ++this.#delivered && seq > this.#position.lastSeq) return seq;
    this.lose("deliveries were lost on the way");
    return null;
  }

  #accept(lane: Lane, seq: number, bytes: number, message: StreamMessage): void {
    lane.messages--;
    lane.bytes -= bytes;
    if (this.#position.advance(seq)) this.#queue.push(message, bytes);
    else this.#queue.wake();
    if (lane.messages === 0 || lane.bytes === 0) this.#laneDone(lane, bytes);
  }

  #laneDone(lane: Lane, lastBytes: number): void {
    lane.messages = 0;
    lane.bytes = 0;
    if (this.#oversized) this.#oversized = lastBytes > this.#target.maxBytes * SHARE;
    this.ask();
  }

  #receiveStatus(lane: Lane, message: Msg): void {
    const code = message.headers?.code ?? 0;
    const description = (message.headers?.description ?? "").toLowerCase();
    // A heartbeat, or the end of a request that was counted to its end already: the lane may have asked again since.
    if (code === 100 || description === "batch completed") return;
    const tooLarge = description === "message size exceeds maxbytes";
    if (code === 404 || code === 408 || tooLarge) {
      if (tooLarge && lane.messages === lane.askedMessages) this.#oversized = true;
      this.#laneDone(lane, Number.POSITIVE_INFINITY);
      return;
    }
    if (code === 400) this.failure ??= refused(this.#target.stream, description);
    this.lose(code === 503 ? "the consumer is gone" : description || `status ${code}`);
  }
}

function refused(stream: string, why: string): ReplayError {
  return new ReplayError(`Cannot read stream ${stream}: the server refuses the request (${why}). Check its version.`);
}
