import { setTimeout as sleep } from "node:timers/promises";
import { type Lease, leaseSchema } from "@cim-replay/core";
import { startNats } from "@cim-replay/testkit";
import { describe, expect, it } from "vitest";
import { CheckpointStore } from "./checkpoints.ts";
import { connectNats, type NatsClient } from "./connect.ts";
import { Ledger } from "./ledger.ts";
import { RecordStore } from "./record-store.ts";

const lease: Lease = { version: 1, runId: "r", coordinatorId: "a", renewal: 0, ttlMs: 1000 };

type Nats = Awaited<ReturnType<typeof startNats>>;

async function killRepeatedly(nats: Nats, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await sleep(120 + i * 40);
    await nats.kill();
    await sleep(150);
    await nats.restart();
  }
}

/** Raises the lease's counter `steps` times by compare-and-set, with its revision in hand where the last one won. */
async function raise(ledger: Ledger, coordinatorId: string, steps: number): Promise<number> {
  let conflicts = 0;
  for (let done = 0; done < steps; ) {
    const current = await ledger.getLease("graph", "T");
    if (!current) throw new Error("the lease is gone");
    const next = { ...current.record, coordinatorId, renewal: current.record.renewal + 1 };
    if ((await ledger.renewLease("graph", "T", next, current.revision)) === null) conflicts++;
    else done++;
  }
  return conflicts;
}

async function withServer(work: (nats: Nats, connect: () => Promise<NatsClient>) => Promise<void>): Promise<void> {
  const nats = await startNats();
  const clients: NatsClient[] = [];
  try {
    await work(nats, async () => {
      const client = await connectNats({ url: nats.url, name: "test" });
      clients.push(client);
      return client;
    });
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await nats.stop();
  }
}

describe("ledger and checkpoints, when the server is killed again and again", { timeout: 120_000 }, () => {
  it("a single writer never sees a conflict, and no write counts twice", () =>
    withServer(async (nats, connect) => {
      const ledger = await Ledger.open(await connect(), { create: true });
      if (!ledger) throw new Error("no ledger");
      let revision = await ledger.takeLease("graph", "T", lease, null);
      const kills = killRepeatedly(nats, 4);
      let stop = false;
      void kills.then(() => (stop = true));
      let renewal = 0;
      while (!stop) {
        if (revision === null) throw new Error(`false conflict after renewal ${renewal}`);
        renewal++;
        const next: number | null = await ledger.renewLease("graph", "T", { ...lease, renewal }, revision);
        expect(next).toBe(revision + 1);
        revision = next;
      }
      await kills;
      expect((await ledger.getLease("graph", "T"))?.record.renewal).toBe(renewal);
      expect(renewal).toBeGreaterThan(100);
    }));

  it("two writers together lose and double nothing", () =>
    withServer(async (nats, connect) => {
      const ledgers = await Promise.all([0, 1].map(async () => Ledger.open(await connect(), { create: true })));
      const [a, b] = ledgers;
      if (!a || !b) throw new Error("no ledger");
      await a.takeLease("graph", "T", lease, null);
      const steps = 1_000;
      await Promise.all([raise(a, "a", steps), raise(b, "b", steps), killRepeatedly(nats, 3)]);
      expect((await a.getLease("graph", "T"))?.record.renewal).toBe(2 * steps);
    }));

  it("a checkpoint that is being written is whole", () =>
    withServer(async (nats, connect) => {
      const store = await CheckpointStore.open(await connect(), { create: true });
      const chunks = Array.from({ length: 300 }, (_, i) => new Uint8Array(300_000).fill(i % 251));
      const [place] = await Promise.all([store.write("r", "u", 1, 1, chunks), killRepeatedly(nats, 2)]);
      const read: Uint8Array[] = [];
      for await (const chunk of store.read("r", "u", { ...place, number: 1 })) read.push(chunk);
      expect(Buffer.concat(read).equals(Buffer.concat(chunks))).toBe(true);
    }));

  it("reads wait for the server to come back", () =>
    withServer(async (nats, connect) => {
      const client = await connect();
      const ledger = await Ledger.open(client, { create: true });
      await ledger?.takeLease("graph", "T", lease, null);
      await nats.kill();
      const reading = new RecordStore(client, "CIM_REPLAY").list("lease.>", leaseSchema);
      await sleep(500);
      await nats.restart();
      expect((await reading).map(({ record }) => record)).toEqual([lease]);
    }));
});
