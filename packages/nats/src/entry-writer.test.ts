import { hash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Provenance } from "@cim-replay/core";
import { startNats, uniqueName } from "@cim-replay/testkit";
import { Kvm } from "@nats-io/kv";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connectNats, type NatsClient } from "./connect.ts";
import { bucketFacts, ensureBucket, getEntry } from "./entries.ts";
import { readEntries } from "./entry-read.ts";
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
beforeEach(async () => {
  bucket = uniqueName("BUCKET");
});

function provenance(value: string, epoch = 1): Provenance {
  return { run: "run-1", epoch, lastSeq: 10, events: 2, sha256: hash("sha256", value) };
}

describe("EntryWriter", () => {
  it("writes text and bytes with their provenance", async () => {
    await ensureBucket(client, bucket);
    const writer = new EntryWriter(client, bucket);
    writer.put("graph.a", '{"ü":"💥"}', provenance("a"), 0);
    writer.put("graph.b", Uint8Array.of(0, 255), provenance("b"), 0);
    expect(await writer.flush()).toEqual({ refused: [] });
    const a = await getEntry(client, bucket, "graph.a");
    expect(Buffer.from(a?.value ?? []).toString()).toBe('{"ü":"💥"}');
    expect(a?.provenance).toEqual(provenance("a"));
    expect((await getEntry(client, bucket, "graph.b"))?.value).toEqual(Uint8Array.of(0, 255));
    expect(await writer.flush()).toEqual({ refused: [] });
  });

  it("tells which keys had another revision, and only once", async () => {
    await ensureBucket(client, bucket);
    const kv = await new Kvm(client.js).open(bucket);
    await kv.put("graph.there", "live");
    const writer = new EntryWriter(client, bucket);
    writer.put("graph.there", "x", provenance("x"), 0);
    writer.put("graph.absent", "x", provenance("x"), 9);
    writer.put("graph.fine", "x", provenance("x"), 0);
    expect((await writer.flush()).refused.map(({ key }) => key).sort()).toEqual(["graph.absent", "graph.there"]);
    writer.put("graph.there", "x", provenance("x"), 1);
    expect(await writer.flush()).toEqual({ refused: [] });
    expect((await kv.get("graph.there"))?.string()).toBe("x");
  });

  it("believes the bucket and not the refusal where a server that leads no more refuses what the leader stores", async () => {
    await ensureBucket(client, bucket);
    const kv = await new Kvm(client.js).open(bucket);
    await kv.put("graph.there", "live");
    // The one that stores says nothing; all answers are the other's.
    const { config } = await client.jsm.streams.info(`KV_${bucket}`);
    await client.jsm.streams.update(config.name, { ...config, no_ack: true });
    const other = await connectNats({ url: nats.url, name: "led-before" });
    const refusal = JSON.stringify({ error: { code: 400, err_code: 10071, description: "wrong last sequence: 0" } });
    other.nc.subscribe(`$KV.${bucket}.>`, { callback: (_, message) => void message.respond(refusal) });
    await other.nc.flush();
    try {
      const writer = new EntryWriter(client, bucket);
      for (let i = 0; i < 500; i++) writer.put(`graph.a${i}`, "x", provenance("x"), 0);
      writer.put("graph.there", "x", provenance("x"), 0);
      expect((await writer.flush()).refused.map(({ key }) => key)).toEqual(["graph.there"]);
      expect((await getEntry(client, bucket, "graph.a499"))?.provenance).toEqual(provenance("x"));
    } finally {
      await other.close();
    }
  });

  it("makes its caller wait where the window is full, by count and by bytes", async () => {
    await ensureBucket(client, bucket);
    const few = new EntryWriter(client, bucket, { maxPending: 3 });
    expect(few.put("a.1", "x", provenance("x"), 0)).toBeUndefined();
    expect(few.put("a.2", "x", provenance("x"), 0)).toBeUndefined();
    const full = few.put("a.3", "x", provenance("x"), 0);
    expect(full).toBeInstanceOf(Promise);
    await full;
    await few.flush();
    const small = new EntryWriter(client, bucket, { maxPendingBytes: 5_000 });
    expect(small.put("a.4", "x".repeat(2_000), provenance("x"), 0)).toBeUndefined();
    expect(small.put("a.5", "x".repeat(4_000), provenance("x"), 0)).toBeInstanceOf(Promise);
    expect(await small.flush()).toEqual({ refused: [] });
  });

  it("names key and size of a value that the server does not take", async () => {
    await ensureBucket(client, bucket);
    const writer = new EntryWriter(client, bucket);
    writer.put("graph.a", "x", provenance("x"), 0);
    const large = "x".repeat(1024 * 1024);
    await expect(writer.put("graph.large", large, provenance("x"), 0)).rejects.toThrow(
      /Cannot write entry graph\.large \(1048576 bytes\).*max_payload of 1048576/,
    );
    await expect(writer.flush()).rejects.toThrow(/graph\.large/);
    expect(await getEntry(client, bucket, "graph.large")).toBeNull();
  });

  it("names key and size of a value that the bucket does not take, before sending it or after", async () => {
    await new Kvm(client.js).create(bucket, { maxValueSize: 1_000 });
    const facts = await bucketFacts(client, bucket);
    const knowing = new EntryWriter(client, bucket, { maxValueSize: facts?.maxValueSize ?? -1 });
    const message = /Cannot write entry graph\.large \(900 bytes\).*(max value size of 1000|exceeds maximum)/;
    await expect(knowing.put("graph.large", "x".repeat(900), provenance("x"), 0)).rejects.toThrow(message);
    const unknowing = new EntryWriter(client, bucket);
    await unknowing.put("graph.large", "x".repeat(900), provenance("x"), 0);
    await expect(unknowing.flush()).rejects.toThrow(message);
    await expect(unknowing.put("graph.b", "x", provenance("x"), 0)).rejects.toThrow(message);
  });

  it("gives the server's words where the bucket is full", async () => {
    await new Kvm(client.js).create(bucket, { max_bytes: 2_000 });
    const writer = new EntryWriter(client, bucket);
    for (let i = 0; i < 10; i++) writer.put(`graph.${i}`, "x".repeat(300), provenance("x"), 0)?.catch(() => {});
    await expect(writer.flush()).rejects.toThrow(/Cannot write entry graph\.\d \(300 bytes\).*maximum bytes exceeded/);
  });

  it("refuses a run id that would forge headers", async () => {
    const writer = new EntryWriter(client, bucket);
    const forged = { ...provenance("x"), run: "r\r\nNats-Rollup: all" };
    expect(() => writer.put("graph.a", "x", forged, 0)).toThrow(/no header form/);
  });

  it("leaves no subscription behind", async () => {
    await ensureBucket(client, bucket);
    const writer = new EntryWriter(client, bucket);
    for (let round = 0; round < 3; round++) {
      writer.put(`graph.${round}`, "x", provenance("x"), 0);
      await writer.flush();
    }
    const response = await fetchSubscriptions(client);
    expect(response).toBeLessThan(5);
  });
});

async function fetchSubscriptions({ nc }: NatsClient): Promise<number> {
  await nc.flush();
  const { protocol } = nc as unknown as { protocol: { subscriptions: { subs: Map<number, unknown> } } };
  return protocol.subscriptions.subs.size;
}

describe("EntryWriter, of what is read back", () => {
  it("replaces nothing that has another revision, and says nothing of it", async () => {
    await ensureBucket(client, bucket);
    const kv = await new Kvm(client.js).open(bucket);
    await kv.put("graph.7", "live");
    const writer = new EntryWriter(client, bucket, { confirm: "read-back" });
    for (let i = 0; i < 100; i++) writer.put(`graph.${i}`, `${i}`, provenance(`${i}`), 0);
    expect(await writer.flush()).toEqual({ refused: [] });
    const values = new Map<string, string>();
    for await (const batch of readEntries(client, bucket, "graph.>")) {
      for (const { key, value } of batch) values.set(key, Buffer.from(value).toString());
    }
    expect(values).toEqual(
      new Map(Array.from({ length: 100 }, (_, i) => [`graph.${i}`, i === 7 ? "live" : `${i}`] as const)),
    );
  });

  it("does not wait for an answer that nobody asked for, where few large ones fill the window", async () => {
    await ensureBucket(client, bucket);
    const writer = new EntryWriter(client, bucket, { confirm: "read-back", maxPendingBytes: 1_000_000 });
    const begunAt = performance.now();
    for (let i = 0; i < 20; i++) await writer.put(`graph.${i}`, "x".repeat(400_000), provenance("x"), 0);
    await writer.flush();
    expect(performance.now() - begunAt).toBeLessThan(4_000);
    expect((await bucketFacts(client, bucket))?.lastRevision).toBe(20);
  });

  it("gives the server's words where the bucket is full", async () => {
    await new Kvm(client.js).create(bucket, { max_bytes: 20_000 });
    const writer = new EntryWriter(client, bucket, { confirm: "read-back" });
    for (let i = 0; i < 100; i++) writer.put(`graph.${i}`, "x".repeat(1_000), provenance("x"), 0);
    await expect(writer.flush()).rejects.toThrow(/maximum bytes exceeded/);
  });
});

describe.each(["each", "read-back"] as const)(
  "EntryWriter, when the server is killed again and again: %s",
  (confirm) => {
    it("writes every key exactly once, refuses only what another wrote, and reports nothing wrongly", async () => {
      const own = await startNats();
      const mine = await connectNats({ url: own.url, name: "writer" });
      const other = await connectNats({ url: own.url, name: "other" });
      await ensureBucket(mine, bucket);
      const count = 20_000;
      const foreign = new Set<string>();
      const kv = await new Kvm(other.js).open(bucket);
      for (let i = 0; i < count; i += 500) {
        await kv.put(`graph.${i}`, "another's");
        foreign.add(`graph.${i}`);
      }
      const writer = new EntryWriter(mine, bucket, { confirm });
      const kills = (async () => {
        for (let i = 0; i < 3; i++) {
          await sleep(150);
          await own.kill();
          await sleep(200);
          await own.restart();
        }
      })();
      for (let i = 0; i < count; i++) {
        const value = `${i}`.padEnd(300, ".");
        await writer.put(`graph.${i}`, value, provenance(value), 0);
        if (i % 250 === 0) await sleep(10);
      }
      const { refused } = await writer.flush();
      await kills;
      expect(refused.map(({ key }) => key).sort()).toEqual(confirm === "each" ? [...foreign].sort() : []);
      const revisions = new Set<number>();
      let found = 0;
      for await (const batch of readEntries(mine, bucket, "graph.>")) {
        for (const { key, value, revision, provenance: from } of batch) {
          found++;
          revisions.add(revision);
          const text = Buffer.from(value).toString();
          expect(text).toBe(foreign.has(key) ? "another's" : key.slice("graph.".length).padEnd(300, "."));
          if (!foreign.has(key)) expect(from?.sha256).toBe(hash("sha256", text));
        }
      }
      expect(found).toBe(count);
      // Nothing was stored twice: every sequence of the bucket belongs to one key.
      expect((await bucketFacts(mine, bucket))?.lastRevision).toBe(count);
      expect(revisions.size).toBe(count);
      await Promise.all([mine.close(), other.close()]);
      await own.stop();
    }, 120_000);
  },
);
