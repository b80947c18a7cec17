import { createInbox } from "nats";
import type { NatsClient } from "./connect.ts";
import { ReadThread } from "./read-thread.ts";
import { type ReadOptions, readStream } from "./reader.ts";
import { type StreamFacts, streamFacts } from "./stream-info.ts";

export type Read = typeof readStream;

/** For tests: what is promised of a read is promised of each of them. The thread is `closeReaders`' to end. */
export const READERS: Readonly<Record<string, Read>> = {
  "our own parser": readStream,
  "the library's parser": (client, options) => readStream(client, { ...options, parser: "library" }),
  "a thread of its own": (client, options) => threadOf(client).read({ ...options, onRecovered: byThread(options) }),
};

const threads = new Map<NatsClient, ReadThread>();

function threadOf(client: NatsClient): ReadThread {
  const known = threads.get(client);
  if (known?.isAlive) return known;
  const thread = new ReadThread(client, { url: `nats://${client.nc.getServer()}`, name: "reader-test" });
  threads.set(client, thread);
  return thread;
}

/** A read that has left its thread would prove nothing of it. */
function byThread({ onRecovered }: ReadOptions): (what: string) => void {
  return (what) => {
    if (what.includes("without a thread")) throw new Error(what);
    onRecovered?.(what);
  };
}

export async function closeReaders(): Promise<void> {
  await Promise.all([...threads.values()].map((thread) => thread.close()));
  threads.clear();
}

/** For tests: a file stream that keeps `{name}.>`. */
export async function makeStream(client: NatsClient, name: string): Promise<StreamFacts> {
  await client.jsm.streams.add({ name, subjects: [`${name}.>`] });
  return factsOf(client, name);
}

export async function factsOf(client: NatsClient, name: string): Promise<StreamFacts> {
  const facts = await streamFacts(client, name);
  if (!facts) throw new Error(`no stream ${name}`);
  return facts;
}

/** For tests: publishes `count` messages to `{stream}.{i % 10}`, all stored when it resolves. */
export async function fillStream(client: NatsClient, stream: string, count: number, payload = "event"): Promise<void> {
  const inbox = createInbox();
  let stored = 0;
  let wake = () => {};
  const acks = client.nc.subscribe(inbox, {
    callback: () => {
      stored++;
      wake();
    },
  });
  for (let i = 0; i < count; i++) {
    client.nc.publish(`${stream}.${i % 10}`, payload, { reply: inbox });
    while (i - stored > 2_000) await new Promise<void>((resolve) => (wake = resolve));
  }
  while (stored < count) await new Promise<void>((resolve) => (wake = resolve));
  acks.unsubscribe();
}

export function optionsFor(facts: StreamFacts, changes: Partial<ReadOptions> = {}): ReadOptions {
  return {
    stream: facts.name,
    created: facts.created,
    range: { fromSeq: facts.firstSeq, toSeq: facts.lastSeq },
    filterSubjects: [],
    maxMessages: 4_096,
    maxBytes: 8 * 1024 * 1024,
    noProgressMs: 2_000,
    signal: new AbortController().signal,
    ...changes,
  };
}

/** For tests: all sequences that the read gives; `onBatch` may wait. */
export async function readSequences(
  read: Read,
  client: NatsClient,
  options: ReadOptions,
  onBatch: (read: number) => unknown = () => {},
): Promise<number[]> {
  const sequences: number[] = [];
  for await (const batch of read(client, options)) {
    for (const message of batch) sequences.push(message.seq);
    await onBatch(sequences.length);
  }
  return sequences;
}

/** What `readSequences` takes behind its first parameter. */
export type ParametersAfterRead = Parameters<typeof readSequences> extends [unknown, ...infer Rest] ? Rest : never;

/** For tests: runs `fault` once, when about that many messages have been read. */
export function when(count: number, fault: () => unknown): (read: number) => unknown {
  let done = false;
  return (received) => {
    if (done || received < count) return undefined;
    done = true;
    return fault();
  };
}

export function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
