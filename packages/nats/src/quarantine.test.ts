import { startNats } from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectNats, type NatsClient } from "./connect.ts";
import { QuarantineStore } from "./quarantine.ts";
import type { QuarantinedEvent } from "./quarantine-message.ts";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});

function event(changes: Partial<QuarantinedEvent> = {}): QuarantinedEvent {
  return {
    runId: "run 1.x",
    domain: "graph",
    unit: "u1",
    stream: "EVENTS",
    seq: 7,
    subject: "events.graph.a.NodeAdded",
    aggregateId: "a",
    kind: "decode",
    reason: "no JSON",
    data: Uint8Array.of(0, 255, 13, 10, 123),
    headers: undefined,
    ...changes,
  };
}

async function open(): Promise<QuarantineStore> {
  const store = await QuarantineStore.open(client, { create: true });
  if (!store) throw new Error("no quarantine");
  return store;
}

async function all(store: QuarantineStore, runId: string): Promise<QuarantinedEvent[]> {
  const found: QuarantinedEvent[] = [];
  for await (const each of store.list(runId)) found.push(each);
  return found;
}

describe("QuarantineStore", () => {
  it("is null where there is none and none shall be made", async () => {
    expect(await QuarantineStore.open(client, { create: false })).toBeNull();
    await open();
    expect(await QuarantineStore.open(client, { create: false })).not.toBeNull();
  });

  it("gives back bytes, headers and hostile texts as they were", async () => {
    const store = await open();
    const headers = Object.assign(Object.create(null), {
      "Nats-Msg-Id": "1",
      "Nats-Rollup": "all",
      "KV-Operation": "PURGE",
      "Nats-Expected-Last-Sequence": "99",
      "Cim-Replay-Reason": "forged",
      "x-ünï": "  žluťoučký \u0000 ",
      ["__proto__"]: "polluted",
    });
    const hostile = event({
      runId: "hostile",
      aggregateId: "a\r\nNats-Rollup: all\u0000\u2028💥\ud800",
      reason: "bad\r\n\r\nPUB x 0\r\n\t\u007f ünï",
      headers,
    });
    await store.put(event({ runId: "hostile", seq: 1 }));
    await store.put(hostile);
    const [, found] = await all(store, "hostile");
    expect({ ...found, data: Array.from(found?.data ?? []) }).toEqual({ ...hostile, data: Array.from(hostile.data) });
    expect(Object.getPrototypeOf(found?.headers)).toBeNull();
    expect(Object.keys(found?.headers ?? {})).toContain("__proto__");
  });

  it("stores an event once, however often it is put, and the first stays", async () => {
    const store = await open();
    await Promise.all([1, 2, 3].map(() => store.put(event({ runId: "twice" }))));
    await store.put(event({ runId: "twice", reason: "another" }));
    expect(await store.count("twice")).toBe(1);
    expect((await all(store, "twice")).map((each) => each.reason)).toEqual(["no JSON"]);
  });

  it("lists a run's events alone and by the sequence of their stream", async () => {
    const store = await open();
    const sequences = Array.from({ length: 120 }, (_, i) => ((i * 77) % 120) + 1);
    for (const seq of sequences) await store.put(event({ runId: "many", seq }));
    await store.put(event({ runId: "many2", seq: 1 }));
    expect((await all(store, "many")).map((each) => each.seq)).toEqual(sequences.sort((a, b) => a - b));
    expect(await store.count("many")).toBe(120);
    expect(await store.count("none")).toBe(0);
  });

  it("names the places of all runs, reads them, and discards those that it is told to, and no others", async () => {
    const store = await open();
    for (const seq of [11, 9, 10]) await store.put(event({ runId: "kept a.b", seq }));
    await store.put(event({ runId: "kept a.c", seq: 9 }));
    const places = (await store.places()).filter(({ runId }) => runId.startsWith("kept a"));
    expect(places.map(({ runId, seq }) => `${runId} ${seq}`)).toEqual([
      ...["kept a.b 9", "kept a.b 10", "kept a.b 11", "kept a.c 9"],
    ]);
    await store.discard(places.slice(0, 2));
    await store.discard(places.slice(0, 2));
    expect((await all(store, "kept a.b")).map(({ seq }) => seq)).toEqual([11]);
    expect(await store.count("kept a.c")).toBe(1);
  });

  it("cuts what is too large to keep, and says how large it was", async () => {
    const store = await open();
    const data = new Uint8Array(1024 * 1024).fill(97);
    const headers = { big: "ü".repeat(50_000), small: "kept" };
    await store.put(
      event({ runId: "large", data, headers, reason: "r".repeat(100_000), aggregateId: "ü".repeat(1e6) }),
    );
    const [found] = await all(store, "large");
    expect(found?.cut?.bytes).toBe(1024 * 1024);
    expect(found?.cut?.sha256).toBe("9bc1b2a288b26af7257a36277ae3816a7d4f16e89c1e7e77d0a5c48bad62b360");
    expect(found?.data.byteLength).toBeGreaterThan(900_000);
    expect(found?.headers).toEqual({ small: "kept" });
    expect(found?.reason).toMatch(/^r+… \(100000 characters\) \(1 of its headers left out\)$/);
    expect(found?.aggregateId).toMatch(/… \(1000000 characters\)$/);
  });
});
