import { hash } from "node:crypto";
import { connect as dial, createServer, type Server, type Socket } from "node:net";
import { type Lease, leaseSchema, type Provenance } from "@cim-replay/core";
import { startNats, uniqueName } from "@cim-replay/testkit";
import { Kvm } from "@nats-io/kv";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CheckpointStore } from "./checkpoints.ts";
import { connectNats, type NatsClient } from "./connect.ts";
import { bucketFacts, deleteEntry, ensureBucket, getEntry } from "./entries.ts";
import { EntryWriter } from "./entry-writer.ts";
import { Ledger } from "./ledger.ts";
import { RecordStore } from "./record-store.ts";

/** Passes everything on to a server, until it is told to keep the server's answers to itself. */
class Wire {
  readonly #server: Server;
  readonly #pairs = new Set<[Socket, Socket]>();
  #deaf = false;

  constructor(port: number) {
    this.#server = createServer((near) => {
      const far = dial(port, "127.0.0.1");
      const pair: [Socket, Socket] = [near, far];
      this.#pairs.add(pair);
      near.on("data", (data) => far.write(data));
      far.on("data", (data) => this.#deaf || near.write(data));
      for (const socket of pair) {
        socket.on("error", () => {});
        socket.on("close", () => {
          this.#pairs.delete(pair);
          near.destroy();
          far.destroy();
        });
      }
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return `nats://127.0.0.1:${address.port}`;
  }

  /** From now on no answer gets through. */
  swallowAnswers(): void {
    this.#deaf = true;
  }

  /** What was swallowed stays lost. */
  hearAgain(): void {
    this.#deaf = false;
  }

  /** Breaks every connection; new ones hear again. */
  cut(): void {
    for (const [near] of this.#pairs) near.destroy();
    this.hearAgain();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

let nats: Awaited<ReturnType<typeof startNats>>;
let direct: NatsClient;
let wire: Wire;
let client: NatsClient;
let bucket: string;

beforeAll(async () => {
  nats = await startNats();
  direct = await connectNats({ url: nats.url, name: "direct" });
});
afterAll(async () => {
  await direct.close();
  await nats.stop();
});
beforeEach(async () => {
  wire = new Wire(nats.port);
  client = await connectNats({ url: await wire.listen(), name: "wired" });
  bucket = uniqueName("BUCKET");
});
afterEach(async () => {
  await client.close();
  wire.close();
});

const lease: Lease = { version: 1, runId: "r", coordinatorId: "a", renewal: 0, ttlMs: 1000 };

function provenance(value: string): Provenance {
  return { run: "r", epoch: 1, lastSeq: 1, events: 1, sha256: hash("sha256", value) };
}

/** Waits until the server has stored what was sent. */
async function untilRevision(revision: number): Promise<void> {
  await expect
    .poll(async () => (await bucketFacts(direct, bucket))?.lastRevision, { timeout: 10_000 })
    .toBeGreaterThanOrEqual(revision);
}

describe("a ledger write whose answer is lost", () => {
  it("is known as done", async () => {
    const ledger = await Ledger.open(client, { create: true, bucket });
    wire.swallowAnswers();
    const taking = ledger?.takeLease("graph", "T", lease, 0);
    await untilRevision(1);
    wire.cut();
    expect(await taking).toBe(1);
    expect((await bucketFacts(direct, bucket))?.lastRevision).toBe(1);
  });

  it("is known as done also where another wrote after it", async () => {
    const ledger = await Ledger.open(client, { create: true, bucket });
    const others = new RecordStore(direct, bucket);
    wire.swallowAnswers();
    const taking = ledger?.takeLease("graph", "T", lease, 0);
    await untilRevision(1);
    expect(await others.put("lease.graph.T", { ...lease, runId: "other" }, 1)).toBe(2);
    expect(await others.put("lease.graph.T", lease, 2)).toBe(3);
    wire.cut();
    expect(await taking).toBe(1);
  });

  it("is a conflict where another wrote the very same in its place", async () => {
    await Ledger.open(client, { create: true, bucket });
    const mine = new RecordStore(client, bucket);
    const others = new RecordStore(direct, bucket);
    await others.put("lease.graph.T", lease, 0);
    wire.swallowAnswers();
    const putting = mine.put("lease.graph.T", { ...lease, renewal: 1 }, 1);
    await untilRevision(2);
    wire.cut();
    expect(await putting).toBe(2);
    wire.swallowAnswers();
    expect(await others.put("lease.graph.T", { ...lease, renewal: 2 }, 2)).toBe(3);
    const late = mine.put("lease.graph.T", { ...lease, renewal: 2 }, 2);
    await new Promise((resolve) => setTimeout(resolve, 200));
    wire.cut();
    expect(await late).toBeNull();
    expect((await others.get("lease.graph.T", leaseSchema))?.revision).toBe(3);
  });
});

describe("puts whose answers are lost", () => {
  it("are done where the entry is what they wrote", async () => {
    await ensureBucket(direct, bucket);
    const writer = new EntryWriter(client, bucket);
    wire.swallowAnswers();
    for (let i = 0; i < 3_000; i++) writer.put(`graph.${i}`, `${i}`, provenance(`${i}`), 0);
    await untilRevision(3_000);
    wire.cut();
    expect(await writer.flush()).toEqual({ refused: [] });
    expect((await bucketFacts(direct, bucket))?.lastRevision).toBe(3_000);
  });

  it("are refused where another wrote the entry meanwhile, whether before or after them", async () => {
    await ensureBucket(direct, bucket);
    const kv = await new Kvm(direct.js).open(bucket);
    await kv.put("graph.before", "live");
    const writer = new EntryWriter(client, bucket);
    wire.swallowAnswers();
    for (const key of ["before", "after", "fine"]) writer.put(`graph.${key}`, key, provenance(key), 0);
    await untilRevision(3);
    await kv.put("graph.after", "live");
    wire.cut();
    expect((await writer.flush()).refused.map(({ key }) => key).sort()).toEqual(["graph.after", "graph.before"]);
    expect((await kv.get("graph.after"))?.string()).toBe("live");
    expect((await kv.get("graph.fine"))?.string()).toBe("fine");
  });

  it("are settled after a while also where the connection stands", async () => {
    await ensureBucket(direct, bucket);
    const writer = new EntryWriter(client, bucket);
    await client.nc.flush();
    wire.swallowAnswers();
    writer.put("graph.a", "a", provenance("a"), 0);
    await untilRevision(1);
    // The answer is gone, the connection is not: only silence tells.
    wire.hearAgain();
    expect(await writer.flush()).toEqual({ refused: [] });
    expect((await bucketFacts(direct, bucket))?.lastRevision).toBe(1);
  });

  it("fail with what is so where the connection is closed", async () => {
    await ensureBucket(direct, bucket);
    const writer = new EntryWriter(client, bucket);
    wire.swallowAnswers();
    writer.put("graph.a", "a", provenance("a"), 0);
    const flushing = writer.flush();
    await Promise.all([expect(flushing).rejects.toThrow(/write entries to bucket .* closed/), client.nc.close()]);
  });
});

describe("other writes whose answers are lost", () => {
  it("a deleted entry is deleted once", async () => {
    await ensureBucket(direct, bucket);
    await (await new Kvm(direct.js).open(bucket)).put("graph.a", "x");
    wire.swallowAnswers();
    const deleting = deleteEntry(client, bucket, "graph.a", 1);
    await untilRevision(2);
    wire.cut();
    expect(await deleting).toBe(true);
    expect(await getEntry(direct, bucket, "graph.a")).toMatchObject({ revision: 2, deleted: true });
  });

  it("a checkpoint whose chunks are stored twice reads as one", async () => {
    const store = await CheckpointStore.open(client, { create: true });
    const chunks = Array.from({ length: 20 }, (_, i) => new Uint8Array(1_000).fill(i));
    wire.swallowAnswers();
    const writing = store.write(bucket, "u", 1, 1, chunks);
    await expect
      .poll(async () => (await direct.jsm.streams.info("CIM_REPLAY_CHECKPOINTS")).state.messages)
      .toBeGreaterThan(10);
    wire.cut();
    const place = await writing;
    expect(place.bytes).toBe(20_000);
    const read: Uint8Array[] = [];
    for await (const chunk of store.read(bucket, "u", { ...place, number: 1 })) read.push(chunk);
    expect(Buffer.concat(read).equals(Buffer.concat(chunks))).toBe(true);
  });
});
