import { AckPolicy, DeliverPolicy } from "@nats-io/jetstream";
import type { ReplayError, StreamMessage } from "@cim-replay/core";
import { type Msg, nanos, nuid, type Subscription } from "nats";
import { apiRequest } from "./api-request.ts";
import type { NatsClient } from "./connect.ts";
import { permissionDenied } from "./denied.ts";
import { DeliveredMessage, replyOf } from "./reader-message.ts";

/** The server says that often that it is there, where it has nothing else to say. */
export const HEARTBEAT_MS = 1_000;
const CONSUMER_LIVES_IDLE_MS = 60_000;
const ZERO = 48;
/** `$JS.ACK.…`: deliveries; `$JS.FC.…`: flow control. */
const KIND_AT = "$JS.".length;
const ACK = "A".charCodeAt(0);

export interface PushTarget {
  readonly stream: string;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly filterSubjects: readonly string[];
}

/**
 * What one push consumer delivers, checked as it comes: deliveries that are not the consumer's very next end it (`lost`).
 * What was received before that stands. The server stops at a few megabytes that nobody has said to be done with.
 */
export class Push {
  /** Why nothing more comes from this consumer. */
  lost: string | null = null;
  /** Where going on with another consumer would not help. */
  failure: ReplayError | null = null;
  /** The last sequence received; before the first, the one below. */
  lastSeq: number;
  /** A sequence beyond the range was seen. */
  passedEnd = false;
  readonly #client: NatsClient;
  readonly #target: PushTarget;
  readonly #name = `cv${nuid.next().slice(-10)}`;
  readonly #subscription: Subscription;
  /** In every reply subject of this consumer, right before the stream's sequence. */
  readonly #beforeSequence: Buffer;
  readonly #stopDenials: () => void;
  #sequenceAt = 0;
  #delivered = 0;
  #idle = false;
  #waiting: StreamMessage[] = [];
  /** Where to say that what came before is done with: still waiting, or in the taker's hands. */
  #flowOfWaiting: string[] = [];
  #flowOfTaken: string[] = [];
  #wake: (() => void) | null = null;

  private constructor(client: NatsClient, target: PushTarget) {
    this.#client = client;
    this.#target = target;
    this.lastSeq = target.fromSeq - 1;
    this.#stopDenials = client.denials.onDenied((violation) => {
      if (!violation.subject.includes(`.${this.#name}`) && violation.subject !== this.#subscription.getSubject())
        return;
      this.failure ??= permissionDenied(`read stream ${target.stream}`, violation);
      this.wake();
    });
    this.#beforeSequence = Buffer.from(`.${target.stream}.${this.#name}.1.`);
    this.#subscription = client.nc.subscribe(client.newInbox(), {
      callback: (error, message) => (error ? this.lose(error.message) : this.#receive(message)),
    });
  }

  static async open(client: NatsClient, target: PushTarget): Promise<Push> {
    const push = new Push(client, target);
    try {
      await push.#begin();
      return push;
    } catch (error) {
      push.close();
      throw error;
    }
  }

  /** All that has come, null where that is nothing. It is done with when the next is asked for. */
  take(): readonly StreamMessage[] | null {
    this.#answer(this.#flowOfTaken);
    this.#flowOfTaken = [];
    if (this.#waiting.length === 0) {
      this.#answer(this.#flowOfWaiting);
      this.#flowOfWaiting = [];
      return null;
    }
    const taken = this.#waiting;
    this.#waiting = [];
    this.#flowOfTaken = this.#flowOfWaiting;
    this.#flowOfWaiting = [];
    return taken;
  }

  /** Whether the server has said, since this was last asked and since the last message, that it has nothing to deliver. */
  takeIdle(): boolean {
    const idle = this.#idle;
    this.#idle = false;
    return idle;
  }

  /** Resolves true as soon as there is news, false after `timeoutMs` without any. */
  wait(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (news: boolean) => {
        clearTimeout(timer);
        this.#wake = null;
        resolve(news);
      };
      const timer = setTimeout(() => done(false), timeoutMs);
      this.#wake = () => done(true);
    });
  }

  wake(): void {
    this.#wake?.();
  }

  lose(why: string): void {
    this.lost ??= why;
    this.wake();
  }

  close(): void {
    const { nc, link, jsm } = this.#client;
    this.#stopDenials();
    if (nc.isClosed()) return;
    this.#subscription.unsubscribe();
    if (link.up && !nc.isDraining()) jsm.consumers.delete(this.#target.stream, this.#name).catch(() => {});
  }

  async #begin(): Promise<void> {
    const { stream, fromSeq, filterSubjects } = this.#target;
    const [only, ...others] = filterSubjects;
    const filter = others.length > 0 ? { filter_subjects: [...filterSubjects] } : only ? { filter_subject: only } : {};
    await apiRequest(`read stream ${stream} from sequence ${fromSeq}`, () =>
      this.#client.jsm.consumers.add(stream, {
        name: this.#name,
        deliver_subject: this.#subscription.getSubject(),
        ack_policy: AckPolicy.None,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: fromSeq,
        flow_control: true,
        idle_heartbeat: nanos(HEARTBEAT_MS),
        inactive_threshold: nanos(CONSUMER_LIVES_IDLE_MS),
        mem_storage: true,
        num_replicas: 1,
        ...filter,
      }),
    );
  }

  #receive(message: Msg): void {
    const reply = replyOf(message);
    if (reply === null || reply[KIND_AT] !== ACK) this.#receiveStatus(message);
    else if (this.lost === null && !this.passedEnd) this.#receiveDelivery(message, reply);
  }

  /** Runs for every message: nothing of it is looked at but the two numbers in its reply subject. */
  #receiveDelivery(message: Msg, reply: Uint8Array): void {
    if (this.#delivered === 0) this.#sequenceAt = this.#findSequence(reply);
    let at = this.#sequenceAt;
    let seq = 0;
    for (let digit = reply[at] ?? 0; digit >= ZERO; digit = reply[++at] ?? 0) seq = seq * 10 + digit - ZERO;
    let delivery = 0;
    for (let digit = reply[++at] ?? 0; digit >= ZERO; digit = reply[++at] ?? 0) delivery = delivery * 10 + digit - ZERO;
    if (delivery !== ++this.#delivered || seq <= this.lastSeq) {
      this.lose("deliveries were lost on the way");
      return;
    }
    this.#idle = false;
    if (seq > this.#target.toSeq) this.passedEnd = true;
    else {
      this.lastSeq = seq;
      this.#waiting.push(new DeliveredMessage(seq, message));
    }
    if (this.#wake !== null) this.#wake();
  }

  #findSequence(reply: Uint8Array): number {
    const at = Buffer.from(reply).indexOf(this.#beforeSequence);
    return at < 0 ? reply.length : at + this.#beforeSequence.length;
  }

  #receiveStatus(message: Msg): void {
    const { headers } = message;
    if (headers?.code !== 100) {
      this.lose(headers?.description || "the consumer is gone");
      return;
    }
    // Asked for what came before, or, where that went lost, told by a heartbeat that the server waits for it.
    const flow = message.reply || headers.get("Nats-Consumer-Stalled");
    if (flow) this.#flowOfWaiting.push(flow);
    else if (Number(headers.get("Nats-Last-Consumer")) > this.#delivered) this.lose("deliveries were lost on the way");
    else this.#idle = true;
    this.wake();
  }

  #answer(flow: readonly string[]): void {
    if (this.lost !== null || this.#client.nc.isClosed() || this.#client.nc.isDraining()) return;
    for (const subject of flow) this.#client.nc.publish(subject);
  }
}
