import { createHash } from "node:crypto";
import {
  DeletedSequences,
  newUnitRecord,
  type Plan,
  ReplayError,
  SourceChangedError,
  type UnitRecord,
} from "@cim-replay/core";
import { connectNats, type NatsClient, streamFacts } from "@cim-replay/nats";
import { planOf, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { publishGraphs } from "./run.fixture.ts";
import { reconcile } from "./reconcile.ts";

let client: NatsClient;
let stream: string;
let plan: Plan;
let units: UnitRecord[];

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "test" });
});
afterAll(() => client.close());

/** Six events of two aggregates, one of them deleted before; each aggregate is one unit's, and all has gone well. */
beforeEach(async () => {
  stream = uniqueName("STREAM");
  await publishGraphs(client, stream, ["a", "a", "b", "b", "b", "b"]);
  await client.jsm.streams.deleteMessage(stream, 6);
  const { created } = (await streamFacts(client, stream)) ?? { created: "" };
  const deleted = new DeletedSequences([{ fromSeq: 6, toSeq: 6 }]);
  const expected = (events: number) => ({ minEvents: events, maxEvents: events, aggregates: 1 });
  plan = planOf("run", {
    stream: { name: stream, created, firstSeq: 1, lastSeq: 6 },
    range: { fromSeq: 1, toSeq: 6 },
    deleted: { count: 1, sha256: createHash("sha256").update(deleted.canonical()).digest("hex") },
    partitions: [
      { index: 0, fromKey: null, toKey: "b", expected: expected(2) },
      { index: 1, fromKey: "b", toKey: null, expected: expected(3) },
    ],
    units: [
      { id: "u0", partitions: [0] },
      { id: "u1", partitions: [1] },
    ],
  });
  units = [2, 3].map((own, i) => {
    const unit = newUnitRecord("run", `u${i}`, 1, 1);
    const counts = { ...unit.counts, delivered: 5, deleted: 1, applied: own, elsewhere: 5 - own };
    return { ...unit, state: "done", counts, deliveredBySlice: [5], deliveredByPartition: [own] };
  });
});

function changed(index: number, change: (unit: UnitRecord) => Partial<UnitRecord>): UnitRecord[] {
  return units.map((unit, i) => (i === index ? { ...unit, ...change(unit) } : unit));
}

describe("reconcile", () => {
  it("passes where everything adds up", async () => {
    await reconcile(client, plan, units);
  });

  it("names the unit that does not account for all that it was handed", async () => {
    const lost = changed(1, (unit) => ({ counts: { ...unit.counts, applied: 2 } }));
    await expect(reconcile(client, plan, lost)).rejects.toThrow(/unit u1: 5 messages were delivered, 4 are accounted/);
  });

  it.each([
    [
      "counts that lack a sequence",
      { deleted: 0 },
      [5],
      /unit u0: 5 delivered \(5 by slices\) and 0 deleted are not the 6/,
    ],
    ["slices that lack one", {}, [4], /unit u0: 5 delivered \(4 by slices\)/],
  ])("names the unit with %s", async (_, counts, deliveredBySlice, message) => {
    const wrong = changed(0, (unit) => ({ counts: { ...unit.counts, ...counts }, deliveredBySlice }));
    const failure = reconcile(client, plan, wrong);
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.toBeInstanceOf(SourceChangedError);
  });

  it("asks for no such sum where the server filtered", async () => {
    const read = { filterSubjects: ["events.graph.>"], messages: 5, reason: "" };
    const filtered = changed(0, (unit) => ({ counts: { ...unit.counts, deleted: 0 }, deliveredBySlice: [0] }));
    await reconcile(client, { ...plan, read }, filtered);
  });

  it("names the partition that has more or fewer events than the subject index", async () => {
    for (const delivered of [1, 3]) {
      const wrong = changed(0, () => ({ deliveredByPartition: [delivered] }));
      await expect(reconcile(client, plan, wrong)).rejects.toThrow(
        new RegExp(`partition 0: the server's subject index has 2 events of it, ${delivered} came`),
      );
    }
  });

  it("takes any count within the bounds that a live writer left", async () => {
    const partitions = plan.partitions.map((partition) => ({
      ...partition,
      expected: { minEvents: 1, maxEvents: 3, aggregates: 1 },
    }));
    for (const delivered of [1, 3]) {
      await reconcile(
        client,
        { ...plan, partitions },
        changed(0, () => ({ deliveredByPartition: [delivered] })),
      );
    }
    const beyond = changed(0, () => ({ deliveredByPartition: [4] }));
    await expect(reconcile(client, { ...plan, partitions }, beyond)).rejects.toThrow(/has 1 to 3 events of it, 4 came/);
  });

  it("looks at each of a unit's partitions in its own place", async () => {
    const both = { ...plan, units: [{ id: "u0", partitions: [1, 0] }] };
    const [unit] = changed(0, ({ counts }) => ({
      counts: { ...counts, applied: 5, elsewhere: 0 },
      deliveredByPartition: [3, 2],
    }));
    if (!unit) throw new Error("no unit");
    await reconcile(client, both, [unit]);
    await expect(reconcile(client, both, [{ ...unit, deliveredByPartition: [2, 3] }])).rejects.toThrow(/partition 1/);
  });

  it("names a unit that the ledger has lost", async () => {
    const failure = reconcile(client, plan, units.slice(0, 1));
    await expect(failure).rejects.toThrow(/unit u1: the ledger has no record/);
    await expect(failure).rejects.toBeInstanceOf(ReplayError);
  });

  it("notices messages that were deleted under the run", async () => {
    await client.jsm.streams.deleteMessage(stream, 3);
    await expect(reconcile(client, plan, units)).rejects.toThrow(
      /lost messages \(1 sequences were deleted before, 2 are now: .*\b3\b/,
    );
  });

  it("notices a purge, a recreated stream and a deleted one", async () => {
    await client.jsm.streams.purge(stream, { seq: 4 });
    await expect(reconcile(client, plan, units)).rejects.toThrow(/lost its messages before sequence 4/);
    await client.jsm.streams.delete(stream);
    await expect(reconcile(client, plan, units)).rejects.toThrow(/was deleted while it ran/);
    await publishGraphs(client, stream, ["a", "a", "b", "b", "b", "b"]);
    await expect(reconcile(client, plan, units)).rejects.toThrow(/was deleted and made again/);
  });

  it("does not mind what came after the range", async () => {
    await publishGraphs(client, stream, ["a", "b"]);
    await client.jsm.streams.deleteMessage(stream, 7);
    await reconcile(client, plan, units);
  });
});
