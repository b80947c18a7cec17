import { ReplayError, UnreachableError } from "@cim-replay/core";
import { connectNats, type NatsClient } from "@cim-replay/nats";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { readAllMessages, readBucket } from "../naive-read.ts";
import type { ServerHandle } from "../servers/managed-server.ts";
import { startNats } from "../servers/nats-server.ts";
import { generateEvents } from "./generate-events.ts";
import { publishEvents } from "./publish-events.ts";

const OPTIONS = { domains: ["graph", "workflow", "person"], events: 12_000, aggregates: 200, skew: 1, seed: 7 };

let nats: ServerHandle;
let client: NatsClient;
beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "publish-events-test" });
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});

test("what is published is read back in order, byte for byte", async () => {
  const progress: number[] = [];
  const published = await publishEvents(client, {
    events: generateEvents(OPTIONS),
    onProgress: (n) => progress.push(n),
  });
  expect(published).toEqual({ stored: OPTIONS.events, lastSeq: OPTIONS.events });
  expect(progress.at(-1)).toBe(OPTIONS.events);

  const expected = generateEvents(OPTIONS);
  let seq = 0;
  for await (const message of readAllMessages(client, "EVENTS")) {
    const event = expected.next().value;
    expect(message.seq).toBe(++seq);
    expect(message.subject).toBe(event?.subject);
    expect(Buffer.compare(message.data, event?.data ?? Buffer.alloc(0))).toBe(0);
  }
  expect(seq).toBe(OPTIONS.events);
});

test("a stream is not made where another one has its subjects, and which one is said", async () => {
  const publishing = publishEvents(client, { stream: "OTHER", events: generateEvents(OPTIONS) });
  await expect(publishing).rejects.toThrow(
    /Cannot make stream OTHER on events\.>: stream EVENTS listens .* --stream EVENTS\.$/,
  );
});

test("a part of a stream is read, also where its ends are deleted", async () => {
  const stream = "PART";
  await client.jsm.streams.add({ name: stream, subjects: ["part.>"] });
  for (let i = 1; i <= 10; i++) await client.js.publish(`part.${i}`, String(i));
  for (const seq of [1, 2, 6, 10]) await client.jsm.streams.deleteMessage(stream, seq);
  const read = async (from?: number, to?: number) => {
    const seqs = [];
    for await (const { seq } of readAllMessages(client, stream, from, to)) seqs.push(seq);
    return seqs;
  };
  expect(await read()).toEqual([3, 4, 5, 7, 8, 9]);
  expect(await read(5, 8)).toEqual([5, 7, 8]);
  expect(await read(4, 6)).toEqual([4, 5]);
  expect(await read(10)).toEqual([]);
  expect(await read(11)).toEqual([]);
});

test("a bucket is read with its headers and without what was deleted", async () => {
  await client.jsm.streams.add({
    name: "KV_naive",
    subjects: ["$KV.naive.>"],
    max_msgs_per_subject: 5,
    allow_rollup_hdrs: true,
  });
  const put = async (key: string, value: string, header = "Cim-Replay-Run: r1") => {
    await rawPublish(nats.port, `$KV.naive.${key}`, header, value);
  };
  await put("graph.a", "old");
  await put("graph.b", "gone");
  await put("graph.a", "été");
  await put("graph.b", "", "KV-Operation: DEL");
  expect([...(await readBucket(client, "naive"))]).toEqual([
    ["graph.a", { value: "été", headers: { "Cim-Replay-Run": "r1" } }],
  ]);
});

test("events that no stream takes are an error that says how many were stored", async () => {
  const events = [{ subject: "elsewhere.x", data: Buffer.from("{}") }];
  const error = await publishEvents(client, { events }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ReplayError);
  expect(String(error)).toMatch(/Cannot publish to stream EVENTS: .* after 0 messages were stored/);
});

test("a server that goes away is an error that says how many were stored", async () => {
  const own = await startNats();
  onTestFinished(() => own.stop());
  const publisher = await connectNats({ url: own.url, name: "publish-events-test" });
  onTestFinished(() => publisher.close());
  let killed: Promise<void> | undefined;
  const events = generateEvents({ ...OPTIONS, events: 5_000_000 });
  const onProgress = (stored: number) => {
    if (stored > 0) killed ??= own.kill();
  };
  const error = await publishEvents(publisher, { events, onProgress }).catch((caught: unknown) => caught);
  await killed;
  expect(error).toBeInstanceOf(UnreachableError);
  expect(String(error)).toMatch(/after [1-9]\d* messages were stored/);
});

test("publishing ends when it is aborted", async () => {
  const stop = new AbortController();
  const onProgress = () => stop.abort(new Error("enough"));
  const events = generateEvents({ ...OPTIONS, events: 5_000_000 });
  await expect(publishEvents(client, { events, onProgress, signal: stop.signal })).rejects.toThrow("enough");
});

/** One message with a header, written on a socket of its own, and stored when this resolves. */
async function rawPublish(port: number, subject: string, header: string, payload: string): Promise<void> {
  const head = `NATS/1.0\r\n${header}\r\n\r\n`;
  const total = Buffer.byteLength(head) + Buffer.byteLength(payload);
  const socket = connect(port, "127.0.0.1");
  socket.write('CONNECT {"verbose":false,"headers":true}\r\nSUB stored 1\r\n');
  socket.write(`HPUB ${subject} stored ${head.length} ${total}\r\n${head}${payload}\r\n`);
  for await (const chunk of socket) if (String(chunk).includes("MSG stored")) break;
  socket.destroy();
}
