import type { StreamMessage } from "@cim-replay/core";
import { AckPolicy, type ConsumerConfig } from "@nats-io/jetstream";
import { type Msg, nanos, nuid } from "nats";
import type { NatsClient } from "./connect.ts";
import { permissionDenied, violationIn } from "./denied.ts";
import { watchFrames } from "./frame-reading.ts";
import type { MessageFrame } from "./frame-splitter.ts";
import { withRetries } from "./publish-retry.ts";
import { DeliveredMessage, type Delivery, deliveryIn, FramedMessage, replyOf } from "./reader-message.ts";

/** The consumer is lost, or a message is: whoever reads begins again with a new one. */
export class PullInterrupted extends Error {
  override readonly name = "PullInterrupted";
}

const MESSAGES_A_PULL = 2_000;
const BYTES_A_PULL = 8 * 1024 * 1024;
const SILENCE_MS = 5_000;
const CONSUMER_LIVES_IDLE_MS = 30_000;

const NO_MESSAGES = 404;
const ENDS_A_PULL = /requests? pending|message size exceeds maxbytes|batch completed|request timeout/i;

/**
 * All that a new consumer delivers until the server says that there is no more, in batches of bounded size and in stream
 * order. Throws PullInterrupted where a message is missing (by the consumer's own count) or answers stop.
 */
export async function* pullToEnd(
  client: NatsClient,
  stream: string,
  config: Partial<ConsumerConfig>,
): AsyncGenerator<readonly StreamMessage[]> {
  const name = `cp${nuid.next().slice(-10)}`;
  await withRetries(client, `read stream ${stream}`, () =>
    client.jsm.consumers.add(stream, {
      name,
      ack_policy: AckPolicy.None,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: nanos(CONSUMER_LIVES_IDLE_MS),
      ...config,
    }),
  );
  const pull = new Pull(client, stream, name);
  try {
    for (let atEnd = false; !atEnd; ) {
      const batch = await pull.next();
      atEnd = batch.atEnd;
      if (batch.messages.length > 0) yield batch.messages;
    }
  } finally {
    pull.close();
    client.jsm.consumers.delete(stream, name).catch(() => {});
  }
}

interface Batch {
  readonly messages: readonly StreamMessage[];
  readonly atEnd: boolean;
}

/** One consumer's pulls, one after the other: the next is asked for while a batch is being worked on. */
class Pull {
  readonly #client: NatsClient;
  readonly #subject: string;
  readonly #inbox: string;
  readonly #request: string;
  readonly #stopListening: () => void;
  readonly #subscription;
  #messages: StreamMessage[] = [];
  #lastDelivered = 0;
  #coming: PromiseWithResolvers<Batch>;
  #silence: NodeJS.Timeout | undefined;
  #pulls = 0;
  /** Of the pull that is waited for: its own, so that a late word about the one before ends nothing. */
  #reply = "";

  constructor(client: NatsClient, stream: string, consumer: string) {
    this.#client = client;
    this.#inbox = client.newInbox();
    this.#subject = `${client.apiPrefix}.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
    const maxBytes = Math.max(BYTES_A_PULL, 2 * (client.nc.info?.max_payload ?? 0));
    this.#request = JSON.stringify({ batch: MESSAGES_A_PULL, max_bytes: maxBytes, no_wait: true });
    this.#subscription = client.nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        const violation = violationIn(error);
        if (violation) this.#fail(permissionDenied(`read stream ${stream}`, violation));
        else if (error) this.#interrupt(error.message);
        else this.#receive(message);
      },
    });
    const stopFrames = watchFrames(client.nc, this.#subscription, (frame) => this.#receiveFrame(frame));
    const stopLink = client.link.onChange(() => this.#interrupt("the connection was lost"));
    const stopDenials = client.denials.onDenied((violation) => {
      if (violation.subject === this.#subject) this.#fail(permissionDenied(`read stream ${stream}`, violation));
    });
    this.#stopListening = () => {
      stopFrames();
      stopLink();
      stopDenials();
    };
    this.#coming = this.#ask();
  }

  async next(): Promise<Batch> {
    const batch = await this.#coming.promise;
    if (!batch.atEnd) this.#coming = this.#ask();
    return batch;
  }

  close(): void {
    clearTimeout(this.#silence);
    this.#stopListening();
    if (!this.#client.nc.isClosed()) this.#subscription.unsubscribe();
  }

  #ask(): PromiseWithResolvers<Batch> {
    const coming = Promise.withResolvers<Batch>();
    // Waited for by `next`, perhaps later than it fails.
    coming.promise.catch(() => {});
    this.#messages = [];
    this.#reply = `${this.#inbox}.${++this.#pulls}`;
    this.#client.nc.publish(this.#subject, this.#request, { reply: this.#reply });
    this.#watchSilence();
    return coming;
  }

  #watchSilence(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#interrupt("the server went silent"), SILENCE_MS);
  }

  #receive(message: Msg): void {
    const reply = replyOf(message);
    if (reply === null) {
      this.#end(message);
      return;
    }
    const delivery = deliveryIn(reply, 0, reply.length);
    if (this.#isNext(delivery)) this.#take(new DeliveredMessage(delivery.seq, message));
  }

  #receiveFrame(frame: MessageFrame): void {
    const delivery = deliveryIn(frame.bytes, frame.replyAt, frame.replyEnd);
    if (this.#isNext(delivery)) this.#take(new FramedMessage(delivery.seq, frame));
  }

  #isNext({ delivered }: Delivery): boolean {
    if (delivered === ++this.#lastDelivered) return true;
    this.#interrupt("a message was lost on the way");
    return false;
  }

  #take(message: StreamMessage): void {
    this.#messages.push(message);
    if (this.#messages.length === MESSAGES_A_PULL) this.#finish(false);
  }

  #end(message: Msg): void {
    // The server also says that a batch is complete after the last of its messages, and the next pull may be on its way by then.
    if (message.subject !== this.#reply) return;
    const code = message.headers?.code ?? 0;
    const words = message.headers?.description ?? "";
    if (code === NO_MESSAGES) this.#finish(true);
    else if (ENDS_A_PULL.test(words) && this.#messages.length > 0) this.#finish(false);
    else this.#interrupt(words || "nobody answers");
  }

  #finish(atEnd: boolean): void {
    clearTimeout(this.#silence);
    this.#coming.resolve({ messages: this.#messages, atEnd });
  }

  #interrupt(why: string): void {
    this.#fail(new PullInterrupted(why));
  }

  #fail(error: Error): void {
    clearTimeout(this.#silence);
    this.#coming.reject(error);
  }
}
