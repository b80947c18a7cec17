import { hash } from "node:crypto";
import type { Provenance } from "@cim-replay/core";
import { startNats, uniqueName } from "@cim-replay/testkit";
import { Kvm } from "@nats-io/kv";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connectNats, type NatsClient } from "./connect.ts";
import { bucketFacts, countKeys, deleteEntry, ensureBucket, getEntry } from "./entries.ts";
import { readEntries, readHeads } from "./entry-read.ts";
import { EntryWriter } from "./entry-writer.ts";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let bucket: string;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});
beforeEach(() => {
  bucket = uniqueName("BUCKET");
});

function provenance(value: string): Provenance {
  return { run: "r1", epoch: 3, lastSeq: 42, events: 7, sha256: hash("sha256", value) };
}

async function fill(keys: readonly string[], textOf = (key: string) => `value of ${key}`): Promise<void> {
  const writer = new EntryWriter(client, bucket);
  for (const key of keys) await writer.put(key, textOf(key), provenance(textOf(key)), 0);
  expect(await writer.flush()).toEqual({ refused: [] });
}

async function gather<T>(batches: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const batch of batches) all.push(...batch);
  return all;
}

describe("a bucket's facts", () => {
  it("are null where there is none, and the same however often it is ensured", async () => {
    expect(await bucketFacts(client, bucket)).toBeNull();
    const [made] = await Promise.all([ensureBucket(client, bucket), ensureBucket(client, bucket)]);
    expect(made).toMatchObject({ bucket, lastRevision: 0, ttlMs: 0, maxBytes: -1, maxValueSize: -1, history: 1 });
    await fill(["graph.a"]);
    expect(await ensureBucket(client, bucket)).toMatchObject({ created: made?.created, lastRevision: 1 });
  });

  it("tell the limits that somebody else gave it", async () => {
    await new Kvm(client.js).create(bucket, { history: 5, ttl: 60_000, max_bytes: 10_000, maxValueSize: 500 });
    const facts = { history: 5, ttlMs: 60_000, maxBytes: 10_000, maxValueSize: 500 };
    expect(await ensureBucket(client, bucket)).toMatchObject(facts);
  });

  it("refuse a name that no bucket can have", async () => {
    await expect(async () => ensureBucket(client, "a.b >")).rejects.toThrow(/bucket "a\.b >"/);
  });
});

describe("entries", () => {
  it("are readable with the ordinary KV client, and the other way round", async () => {
    await ensureBucket(client, bucket);
    await fill(["graph.a", "graph.=2E=C3=BC"]);
    const kv = await new Kvm(client.js).open(bucket);
    expect((await kv.get("graph.=2E=C3=BC"))?.string()).toBe("value of graph.=2E=C3=BC");
    await kv.put("graph.b", "by hand");
    const entry = await getEntry(client, bucket, "graph.b");
    expect(entry).toMatchObject({ revision: 3, deleted: false, provenance: null });
    expect(Buffer.from(entry?.value ?? []).toString()).toBe("by hand");
    expect(await getEntry(client, bucket, "graph.c")).toBeNull();
    expect((await getEntry(client, bucket, "graph.a"))?.provenance).toEqual(provenance("value of graph.a"));
  });

  it("are deleted at the expected revision only", async () => {
    await ensureBucket(client, bucket);
    await fill(["graph.a", "graph.b"]);
    expect(await deleteEntry(client, bucket, "graph.a", 2)).toBe(false);
    expect(await deleteEntry(client, bucket, "graph.a", 1)).toBe(true);
    expect(await getEntry(client, bucket, "graph.a")).toMatchObject({ revision: 3, deleted: true, provenance: null });
    const kv = await new Kvm(client.js).open(bucket);
    expect((await kv.get("graph.a"))?.operation).toBe("DEL");
    const writer = new EntryWriter(client, bucket);
    await writer.put("graph.a", "again", provenance("again"), 3);
    expect(await writer.flush()).toEqual({ refused: [] });
  });

  it("are counted, and read by filter, deleted ones as heads only", async () => {
    await ensureBucket(client, bucket);
    await fill(["graph.a", "graph.b", "person.a", "graph.c"]);
    await deleteEntry(client, bucket, "graph.b", 2);
    expect(await countKeys(client, bucket, "graph.>")).toBe(3);
    expect(await countKeys(client, bucket, "none.>")).toBe(0);
    const heads = await gather(readHeads(client, bucket, "graph.>"));
    expect(heads.map(({ key, revision, deleted }) => [key, revision, deleted])).toEqual([
      ["graph.a", 1, false],
      ["graph.c", 4, false],
      ["graph.b", 5, true],
    ]);
    expect(heads[0]?.provenance).toEqual(provenance("value of graph.a"));
    const entries = await gather(readEntries(client, bucket, "graph.>"));
    expect(entries.map(({ key, value }) => [key, Buffer.from(value).toString()])).toEqual([
      ["graph.a", "value of graph.a"],
      ["graph.c", "value of graph.c"],
    ]);
    expect(await gather(readHeads(client, bucket, "none.>"))).toEqual([]);
  });

  it("are read once each, the newest of several revisions", async () => {
    await new Kvm(client.js).create(bucket, { history: 5 });
    const kv = await new Kvm(client.js).open(bucket);
    for (let i = 0; i < 20; i++) await kv.put(`graph.${i % 4}`, `${i}`);
    const entries = await gather(readEntries(client, bucket, "graph.>"));
    expect(entries.map(({ value }) => Buffer.from(value).toString())).toEqual(["16", "17", "18", "19"]);
  });

  it("are all read, however large the values are", async () => {
    await ensureBucket(client, bucket);
    const keys = Array.from({ length: 40 }, (_, i) => `graph.${i}`);
    await fill(keys, (key) => key.padEnd(1_000_000, "x"));
    const entries = await gather(readEntries(client, bucket, "graph.>"));
    expect(entries.map(({ key, value }) => [key, value.byteLength])).toEqual(keys.map((key) => [key, 1_000_000]));
  });

  it("are all read while others write and delete", async () => {
    await ensureBucket(client, bucket);
    const keys = Array.from({ length: 20_000 }, (_, i) => `graph.${i}`);
    await fill(keys);
    const kv = await new Kvm(client.js).open(bucket);
    let writing = true;
    const others = (async () => {
      for (let i = 0; writing; i++) await kv.put(i % 3 === 0 ? `graph.new${i}` : `graph.${(i * 7919) % 20_000}`, "new");
    })();
    const newest = new Map<string, number>();
    try {
      for await (const batch of readHeads(client, bucket, "graph.>")) {
        for (const { key, revision } of batch) {
          expect(revision).toBeGreaterThan(newest.get(key) ?? 0);
          newest.set(key, revision);
        }
      }
    } finally {
      writing = false;
      await others;
    }
    expect(keys.filter((key) => !newest.has(key))).toEqual([]);
  });

  it("are all read through a restart of the server", { timeout: 90_000 }, async () => {
    const own = await startNats();
    const mine = await connectNats({ url: own.url, name: "test" });
    await ensureBucket(mine, bucket);
    const writer = new EntryWriter(mine, bucket);
    for (let i = 0; i < 30_000; i++) await writer.put(`graph.${i}`, "x".repeat(300), provenance("x"), 0);
    await writer.flush();
    const seen = new Set<string>();
    let restarted = false;
    for await (const batch of readHeads(mine, bucket, "graph.>")) {
      for (const { key } of batch) seen.add(key);
      if (restarted || seen.size < 5_000) continue;
      restarted = true;
      await own.kill();
      await own.restart();
    }
    expect(seen.size).toBe(30_000);
    await mine.close();
    await own.stop();
  });
});
