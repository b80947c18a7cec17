import { ReplayError, type StreamMessage } from "@cim-replay/core";
import type { NatsClient } from "@cim-replay/nats";

/**
 * Messages of a stream in order, each with data of its own, from `fromSeq` to `toSeq` (both included; default all that it holds now). The plain way,
 * with the client library's ordered consumer: a witness that shares no code with the pipeline's reader.
 */
export async function* readAllMessages(
  client: NatsClient,
  stream: string,
  fromSeq = 1,
  toSeq = Number.POSITIVE_INFINITY,
): AsyncGenerator<StreamMessage, void, undefined> {
  const { state } = await client.jsm.streams.info(stream);
  const last = Math.min(toSeq, state.last_seq);
  if (fromSeq > last) return;
  const consumer = await client.js.consumers.get(stream, {
    deliver_policy: "by_start_sequence",
    opt_start_seq: fromSeq,
  });
  // What is pending says the server that has the consumer; in a cluster it may be behind the stream's leader.
  const isLast = async (seq: number) => {
    if (seq >= last) return true;
    const { first_seq, deleted = [] } = (await client.jsm.streams.info(stream, { deleted_details: true })).state;
    const from = Math.max(seq, first_seq - 1);
    return deleted.filter((gone) => gone > from && gone <= last).length >= last - from;
  };
  if ((await consumer.info()).num_pending === 0 && (await isLast(fromSeq - 1))) return;
  const messages = await consumer.consume({ max_messages: 2_000, idle_heartbeat: 5_000 });
  const silence = watchSilence(() =>
    messages.stop(new ReplayError(`Cannot read stream ${stream}: nothing came for 30 s.`)),
  );
  try {
    for await (const message of messages) {
      silence.heard();
      if (message.seq > last) return;
      yield {
        seq: message.seq,
        subject: message.subject,
        receivedAtMs: Number(message.timestampNanos / 1_000_000n),
        data: message.data.slice(),
        headers: plainHeaders(message.headers),
      };
      if (message.seq === last || (message.info.pending === 0 && (await isLast(message.seq)))) return;
    }
    throw new ReplayError(`Cannot read stream ${stream}: its messages ended before ${last}. Is the server there?`);
  } finally {
    silence.end();
    await messages.close();
    await consumer.delete().catch(() => {});
  }
}

/** What a KV bucket holds now, by key: the naive way, by reading its whole stream and keeping the last of each key. */
export async function readBucket(
  client: NatsClient,
  bucket: string,
): Promise<Map<string, { value: string; headers: Readonly<Record<string, string>> }>> {
  const entries = new Map<string, { value: string; headers: Readonly<Record<string, string>> }>();
  const prefix = `$KV.${bucket}.`;
  for await (const message of readAllMessages(client, `KV_${bucket}`)) {
    const key = message.subject.slice(prefix.length);
    const headers = message.headers ?? {};
    // Deletes and purges, and the markers that a server leaves for keys whose time is over.
    if ("KV-Operation" in headers || "Nats-Marker-Reason" in headers) entries.delete(key);
    else entries.set(key, { value: Buffer.from(message.data).toString("utf8"), headers });
  }
  return entries;
}

interface Headers {
  keys(): string[];
  values(name: string): string[];
}

function plainHeaders(headers: Headers | undefined): Readonly<Record<string, string>> | undefined {
  if (!headers) return undefined;
  return Object.fromEntries(headers.keys().map((name) => [name, headers.values(name).join(", ")]));
}

function watchSilence(onSilence: () => void): { heard: () => void; end: () => void } {
  const timer = setTimeout(onSilence, 30_000);
  return { heard: () => void timer.refresh(), end: () => clearTimeout(timer) };
}
