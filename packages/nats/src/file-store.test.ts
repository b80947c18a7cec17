import { connectNats, type NatsClient } from "./connect.ts";
import { startNats, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { FileStore } from "./file-store.ts";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let bucket: string;
let store: FileStore;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});
beforeEach(async () => {
  bucket = uniqueName("FILES");
  const opened = await FileStore.open(client, bucket, { create: true });
  if (!opened) throw new Error("no store");
  store = opened;
});

async function* bytes(count: number, seed = 7): AsyncGenerator<Uint8Array> {
  for (let left = count; left > 0; left -= 100_000) yield Buffer.alloc(Math.min(left, 100_000), seed + (left % 13));
}

async function contentOf(name: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.read(name)) chunks.push(chunk.slice());
  return Buffer.concat(chunks);
}

async function whole(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test("keeps files of many chunks and gives them back, with what was said of them", async () => {
  expect(await FileStore.open(client, uniqueName("NONE"), { create: false })).toBeNull();
  expect(await store.put("b.tar.gz", bytes(3_000_001), { a: "1" })).toBe(true);
  expect(await store.put("a", bytes(0), {})).toBe(true);
  expect(await store.list()).toEqual([
    { name: "a", bytes: 0, facts: {} },
    { name: "b.tar.gz", bytes: 3_000_001, facts: { a: "1" } },
  ]);
  expect((await contentOf("b.tar.gz")).equals(await whole(bytes(3_000_001)))).toBe(true);
  expect(await contentOf("a")).toHaveLength(0);
});

test("gives a name to one of two that ask for it at once, and again once it is removed", async () => {
  const asked = await Promise.all([store.put("n", bytes(300_000, 1), {}), store.put("n", bytes(300_000, 50), {})]);
  expect(asked.toSorted()).toEqual([false, true]);
  const winner = asked[0] ? 1 : 50;
  expect((await contentOf("n")).equals(await whole(bytes(300_000, winner)))).toBe(true);
  expect(await store.put("n", bytes(10), {})).toBe(false);
  expect(await store.remove("n")).toBe(true);
  expect(await store.remove("n")).toBe(false);
  expect((await client.jsm.streams.info(`OBJ_${bucket}`)).state.messages).toBe(0);
  expect(await store.put("n", bytes(10), {})).toBe(true);
  expect(await store.list()).toHaveLength(1);
});

test("never takes a file for whole that lacks a chunk or was changed", async () => {
  await store.put("n", bytes(400_000), {});
  const stream = `OBJ_${bucket}`;
  await client.jsm.streams.deleteMessage(stream, 2);
  await expect(contentOf("n")).rejects.toThrow(/Cannot read n from object store .*: \d+ of its 400000 bytes are there/);

  await store.put("m", bytes(5), {});
  const { data: meta } = (await client.jsm.streams.getMessage(stream, { last_by_subj: `$O.${bucket}.M.>` })) ?? {};
  const { nuid } = JSON.parse(Buffer.from(meta ?? []).toString("utf8"));
  await client.jsm.streams.purge(stream, { filter: `$O.${bucket}.C.${nuid}` });
  await client.js.publish(`$O.${bucket}.C.${nuid}`, "other");
  await expect(contentOf("m")).rejects.toThrow(/its bytes are not those that were kept/);
});

test("sweeps away what a killed writer left, once it is old enough, and nothing else", async () => {
  await store.put("n", bytes(300_000), {});
  await client.js.publish(`$O.${bucket}.C.left`, "half a file");
  const messages = async () => (await client.jsm.streams.info(`OBJ_${bucket}`)).state.messages;
  const before = await messages();
  await store.sweep(60_000);
  expect(await messages()).toBe(before);
  await store.sweep(0);
  expect(await messages()).toBe(before - 1);
  expect(await contentOf("n")).toHaveLength(300_000);
});
