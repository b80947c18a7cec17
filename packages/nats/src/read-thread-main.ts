import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { packBatch, transferList } from "./batch-transfer.ts";
import { connectNats, type NatsClient, type NatsOptions } from "./connect.ts";
import {
  type DenialNews,
  LEAVE,
  type Order,
  plainError,
  type ReadNews,
  type ReadOrder,
  RELEASE,
} from "./read-thread-protocol.ts";
import { readStream } from "./reader.ts";

// What a thread runs that `ReadThread` starts: it reads what it is told to, and leaves when it is told to.
const client = await connectNats(workerData as NatsOptions);
client.denials.onDenied(({ message, operation, subject }) => {
  parentPort?.postMessage({ message, operation, subject } satisfies DenialNews);
});
parentPort?.on("message", (order: Order) => void (order === LEAVE ? leave(client) : obey(client, order)));

async function leave(nats: NatsClient): Promise<void> {
  // What was sent before goes out first: consumers are dropped without waiting for an answer.
  await nats.close();
  parentPort?.close();
}

async function obey(nats: NatsClient, { options, port }: ReadOrder): Promise<void> {
  const closed = new AbortController();
  port.once("close", () => closed.abort());
  const post = (news: ReadNews) => port.postMessage(news);
  try {
    post({ kind: (await readInto(port, nats, options, closed.signal)) ? "ended" : "unfit" });
  } catch (error) {
    // Of a read that nobody waits for any more there is nothing to tell.
    if (!closed.signal.aborted) post({ kind: "failed", error: plainError(error) });
  } finally {
    port.close();
  }
}

/** Hands over all messages; false where one of them cannot be. */
async function readInto(
  port: MessagePort,
  nats: NatsClient,
  options: ReadOrder["options"],
  signal: AbortSignal,
): Promise<boolean> {
  const taken = new Turnstile(port);
  const onRecovered = (what: string) => port.postMessage({ kind: "recovered", what } satisfies ReadNews);
  for await (const messages of readStream(nats, { ...options, signal, onRecovered })) {
    const batch = packBatch(messages);
    if (batch === null) return false;
    // One batch is in the other thread's hands, and one lies ready here: what has come meanwhile counts as this read's.
    await taken.pass();
    port.postMessage({ kind: "batch", batch } satisfies ReadNews, transferList(batch));
  }
  return true;
}

/** Lets one batch through, and another for each that was released; none waits in vain where the port is closed. */
class Turnstile {
  #free = 1;
  #open: (() => void) | null = null;

  constructor(port: MessagePort) {
    port.on("message", (message: unknown) => {
      if (message === RELEASE) this.#free += 1;
      this.#open?.();
    });
    port.once("close", () => {
      this.#free = Number.POSITIVE_INFINITY;
      this.#open?.();
    });
  }

  async pass(): Promise<void> {
    while (this.#free <= 0) {
      await new Promise<void>((resolve) => {
        this.#open = resolve;
      });
    }
    this.#free -= 1;
  }
}
