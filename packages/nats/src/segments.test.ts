import { ConflictingWriterError, SegmentLostError } from "@cim-replay/core";
import { startNats } from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectNats, type NatsClient } from "./connect.ts";
import { type SegmentOrigin, SegmentStore } from "./segments.ts";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let store: SegmentStore;
const { signal } = new AbortController();
const origin: SegmentOrigin = { runId: "20260131-120000-abc.1", slice: 3, epoch: 2 };

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
  expect(await SegmentStore.open(client, { create: false })).toBeNull();
  const opened = await SegmentStore.open(client, { create: true });
  if (!opened) throw new Error("no store");
  store = opened;
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});

async function write(to: SegmentOrigin, unit: string, payloads: readonly Uint8Array[]): Promise<void> {
  const writer = store.writer(to);
  for (const [index, payload] of payloads.entries()) await writer.put(unit, index, payload);
  await writer.flush();
}

const stored = async () => (await client.jsm.streams.info("CIM_REPLAY_SEGMENTS")).state.messages;
const bytes = (text: string) => new TextEncoder().encode(text);

describe("SegmentStore", () => {
  it("gives back what was written, by slice, unit, epoch and number", async () => {
    await write(origin, "u1", [bytes("a"), bytes("b")]);
    await write({ ...origin, epoch: 3 }, "u1", [bytes("newer")]);
    await write({ ...origin, slice: 4 }, "u1", [bytes("other slice")]);
    await write(origin, "u2", [bytes("other unit")]);
    expect(Buffer.from(await store.read(origin, "u1", 1, signal)).toString()).toBe("b");
    expect(Buffer.from(await store.read({ ...origin, epoch: 3 }, "u1", 0, signal)).toString()).toBe("newer");
  });

  it("stores each segment once: another writer of the same epoch is refused", async () => {
    const before = await stored();
    await expect(write(origin, "u1", [bytes("again")])).rejects.toThrow(ConflictingWriterError);
    expect(await stored()).toBe(before);
    expect(Buffer.from(await store.read(origin, "u1", 0, signal)).toString()).toBe("a");
  });

  it("names a segment that is not there", async () => {
    const missing = store.read(origin, "u1", 9, signal);
    await expect(missing).rejects.toThrow(SegmentLostError);
    await expect(missing).rejects.toThrow(/segment 9 of slice 3 is not there any more.*--resume --run 20260131/);
  });

  it("stops looking where it is told to", async () => {
    await expect(store.read(origin, "u1", 9, AbortSignal.abort(new Error("stop")))).rejects.toThrow("stop");
  });

  it("removes what attempts at a slice before this one have stored, and nothing of a later one or another slice", async () => {
    // Whoever wakes up late at an older epoch takes nothing from its successor.
    await store.removeOlder(origin);
    expect(Buffer.from(await store.read(origin, "u2", 0, signal)).toString()).toBe("other unit");
    await store.removeOlder({ ...origin, epoch: 3 });
    await expect(store.read(origin, "u2", 0, signal)).rejects.toThrow(SegmentLostError);
    expect(Buffer.from(await store.read({ ...origin, epoch: 3 }, "u1", 0, signal)).toString()).toBe("newer");
    expect(Buffer.from(await store.read({ ...origin, slice: 4 }, "u1", 0, signal)).toString()).toBe("other slice");
  });

  it("knows which runs have segments, and removes one run's", async () => {
    await write({ ...origin, runId: "other run" }, "u1", [bytes("x")]);
    expect((await store.runIds()).sort()).toEqual([origin.runId, "other run"]);
    await store.removeRun(origin.runId);
    expect(await store.runIds()).toEqual(["other run"]);
  });

  it("loses nothing and doubles nothing where the server is killed meanwhile", async () => {
    const run = { ...origin, runId: "killed" };
    const before = await stored();
    const payloads = Array.from({ length: 400 }, (_, i) => new Uint8Array(20_000).fill(i % 251));
    const writing = write(run, "u1", payloads);
    await nats.kill();
    await nats.restart();
    await writing;
    expect(await stored()).toBe(before + payloads.length);
    for (const at of [0, 1, 200, 399]) {
      expect(Buffer.compare(await store.read(run, "u1", at, signal), payloads[at] ?? new Uint8Array())).toBe(0);
    }
  });

  it("says that a segment is missing where the whole stream is", async () => {
    await client.jsm.streams.delete("CIM_REPLAY_SEGMENTS");
    await expect(store.read(origin, "u1", 0, signal)).rejects.toThrow(SegmentLostError);
  });
});
