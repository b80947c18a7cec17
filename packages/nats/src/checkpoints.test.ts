import { startNats } from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CheckpointStore, type CheckpointPlace } from "./checkpoints.ts";
import { connectNats, type NatsClient } from "./connect.ts";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let store: CheckpointStore;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});

function chunksOf(count: number, bytes: number, seed = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => new Uint8Array(bytes).fill((i + seed) % 251));
}

async function read(runId: string, unit: string, place: CheckpointPlace & { number: number }): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.read(runId, unit, place)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe("CheckpointStore", () => {
  it("says so where the stream is missing", async () => {
    await expect(CheckpointStore.open(client, { create: false })).rejects.toThrow(/no stream CIM_REPLAY_CHECKPOINTS/);
    store = await CheckpointStore.open(client, { create: true });
  });

  it("gives back what was written, while others write as well", async () => {
    const writes = await Promise.all(
      ["u1", "u2", "u3"].map(async (unit, seed) => ({
        unit,
        seed,
        place: await store.write("r", unit, 1, 4, chunksOf(90, 100_000, seed)),
      })),
    );
    for (const { unit, seed, place } of writes) {
      expect(place.bytes).toBe(9_000_000);
      const bytes = await read("r", unit, { ...place, number: 4 });
      expect(bytes.equals(Buffer.concat(chunksOf(90, 100_000, seed)))).toBe(true);
    }
  });

  it("keeps a checkpoint of nothing", async () => {
    const place = await store.write("r", "empty", 1, 1, []);
    expect((await read("r", "empty", { ...place, number: 1 })).byteLength).toBe(0);
  });

  it("never gives chunks of a write that failed half-way", async () => {
    function* torn() {
      yield* chunksOf(5, 1000, 50);
      throw new Error("cannot pack");
    }
    await expect(store.write("r", "torn", 1, 1, torn())).rejects.toThrow("cannot pack");
    const place = await store.write("r", "torn", 1, 1, chunksOf(3, 1000));
    await expect(store.write("r", "torn", 1, 1, torn())).rejects.toThrow("cannot pack");
    expect((await read("r", "torn", { ...place, number: 1 })).equals(Buffer.concat(chunksOf(3, 1000)))).toBe(true);
    const wider = { ...place, fromMessage: place.fromMessage - 2, number: 1 };
    await expect(read("r", "torn", wider)).rejects.toThrow(/chunk \d+ is not in stream/);
  });

  it("throws where a message of it is gone, or another checkpoint is meant", async () => {
    const place = await store.write("r", "gone", 1, 1, chunksOf(5, 1000));
    await expect(read("r", "gone", { ...place, number: 2 })).rejects.toThrow(/checkpoint 2 of unit gone/);
    await expect(read("r", "gone", { ...place, toMessage: place.toMessage - 1, number: 1 })).rejects.toThrow(/chunk 4/);
    await client.jsm.streams.deleteMessage("CIM_REPLAY_CHECKPOINTS", place.fromMessage + 2);
    await expect(read("r", "gone", { ...place, number: 1 })).rejects.toThrow(/chunk 2 is not in stream/);
  });

  it("refuses a chunk that the server does not take", async () => {
    await expect(store.write("r", "large", 1, 1, chunksOf(2, 1024 * 1024))).rejects.toThrow(/chunk has 10\d+ bytes/);
  });

  it("removes a unit's older checkpoints, a unit's, a run's", async () => {
    const first = await store.write("p.1", "u", 1, 1, chunksOf(2, 10));
    const second = await store.write("p.1", "u", 2, 2, chunksOf(2, 10, 9));
    const other = await store.write("p.1", "v", 1, 1, chunksOf(2, 10));
    const stranger = await store.write("p", "u", 1, 1, chunksOf(2, 10));
    await store.purge("p.1", "u", second.fromMessage);
    await expect(read("p.1", "u", { ...first, number: 1 })).rejects.toThrow(/is not in stream/);
    expect((await read("p.1", "u", { ...second, number: 2 })).byteLength).toBe(20);
    await store.purge("p.1", "u");
    await expect(read("p.1", "u", { ...second, number: 2 })).rejects.toThrow(/is not in stream/);
    expect((await read("p.1", "v", { ...other, number: 1 })).byteLength).toBe(20);
    await store.purge("p.1");
    await expect(read("p.1", "v", { ...other, number: 1 })).rejects.toThrow(/is not in stream/);
    expect((await read("p", "u", { ...stranger, number: 1 })).byteLength).toBe(20);
  });
});
