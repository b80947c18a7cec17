import {
  compileDomain,
  type DeletedSequences,
  partitionHashesEvenly,
  partitionRouter,
  type Plan,
  type SequenceRange,
  SourceChangedError,
  type StreamMessage,
} from "@cim-replay/core";
import { connectNats, deletedWithin, deletionsSha256, type NatsClient, OrderedWriter } from "@cim-replay/nats";
import { readAllMessages, uniqueName } from "@cim-replay/testkit";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Cut, domainOf, StagedRun } from "./unit-source.fixture.ts";

const EVENTS = 600;
let client: NatsClient;
let stream: string;
let all: StreamMessage[];
let deleted: DeletedSequences;
const range: SequenceRange = { fromSeq: 1, toSeq: EVENTS };

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "test" });
  stream = await publishStream();
  for (const seq of [2, 77, 78, 300, EVENTS]) await client.jsm.streams.deleteMessage(stream, seq, false);
  all = [];
  for await (const message of readAllMessages(client, stream)) all.push(message);
  deleted = await deletedWithin(client, stream, range);
});
afterAll(async () => {
  await client.jsm.streams.delete(stream);
  await client.close();
});

/** Events of a few aggregates, some with headers, one large, some of other domains. */
async function publishStream(): Promise<string> {
  const name = uniqueName("SOURCE");
  await client.jsm.streams.add({ name, subjects: [`${name}.>`] });
  for (let n = 1; n <= EVENTS; n++) {
    const id = n % 11 === 0 ? "größe" : `a${(n * 7) % 23}`;
    const domain = n % 5 === 0 ? "other" : "shop";
    const payload = JSON.stringify({ n, text: n === 500 ? "x".repeat(900_000) : "ä".repeat(n % 3) });
    const more = [["Trace", `${n}`] as const, ["Trace", "again"] as const];
    const message = { subject: `${name}.${domain}.${id}.Added`, data: Buffer.from(payload) };
    // Some without any, of which the reader makes other messages.
    if (n % 13 === 0) {
      const writer = new OrderedWriter(client, name, n - 1, "Renamed");
      writer.put({ ...message, headers: more });
      await writer.flush();
    } else await client.js.publish(message.subject, message.data);
  }
  return name;
}

const cuts = fc
  .record({
    partitions: fc.integer({ min: 1, max: 7 }),
    units: fc.integer({ min: 1, max: 4 }),
    ends: fc.uniqueArray(fc.integer({ min: 1, max: EVENTS - 1 }), { maxLength: 5 }),
  })
  .map(({ partitions, units, ends }): Cut => {
    const partitioning = partitionHashesEvenly(partitions);
    const bounds = [0, ...ends.toSorted((a, b) => a - b), EVENTS];
    const held = Array.from({ length: Math.min(units, partitions) }, (_, unit) =>
      partitioning.partitions.map(({ index }) => index).filter((index) => index % Math.min(units, partitions) === unit),
    );
    return {
      ...{ range, ...partitioning, units: held.map((own, i) => ({ id: `u${i}`, partitions: own })) },
      slices: bounds.slice(1).map((toSeq, i) => ({ fromSeq: (bounds[i] ?? 0) + 1, toSeq })),
    };
  });

const plain = ({ seq, subject, data, headers: found, receivedAtMs }: StreamMessage) => ({
  ...{ seq, subject, receivedAtMs, headers: found && { ...found } },
  data: Buffer.from(data).toString("latin1"),
});

/** What of a unit's there is, by the plain reading. */
function ownOf(plan: Plan, unit: string): (message: StreamMessage) => boolean {
  const codec = compileDomain("shop", domainOf(stream));
  const route = partitionRouter(plan);
  const own = plan.units.find(({ id }) => id === unit)?.partitions ?? [];
  return ({ subject }) => own.includes(route(codec.route(subject) ?? "")) && codec.route(subject) !== undefined;
}

const bySlice = (plan: Plan, seqs: readonly number[]) =>
  plan.slices.map(({ fromSeq, toSeq }) => seqs.filter((seq) => seq >= fromSeq && seq <= toSeq).length);

async function begin(cut: Cut, kind: Plan["source"]["kind"], order: readonly number[] = []): Promise<StagedRun> {
  const pinned = { count: deleted.count, sha256: deletionsSha256(deleted) };
  const run = await StagedRun.begin(client, stream, { ...cut, deleted: pinned }, kind);
  const slices = run.plan.sliceUnits.map(({ slice }) => slice);
  slices.sort((a, b) => (order[a] ?? a) - (order[b] ?? b));
  for (const slice of slices) {
    // What an older epoch has stored is there for whoever would mix the two.
    if ((order[slice] ?? 0) % 2 === 1) await run.pack(slice, { dies: true });
    await run.pack(slice, { dies: false });
  }
  return run;
}

describe.each(["direct", "shuffle"] as const)("a unit's source (%s)", (kind) => {
  it("delivers the unit's messages, byte for byte and in order, from any sequence on, and accounts for the range", async () => {
    const from = fc.integer({ min: 1, max: EVENTS + 1 });
    const order = fc.array(fc.nat(9), { minLength: 6, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(cuts, order, from, fc.nat(50), async (cut, packingOrder, fromSeq, again) => {
        const run = await begin(cut, kind, packingOrder);
        for (const { id } of run.plan.units) {
          const isOwn = ownOf(run.plan, id);
          const counts = kind === "direct" ? all : all.filter(isOwn);
          const before = counts.filter(({ seq }) => seq < fromSeq).map(({ seq }) => seq);
          const source = await run.open(id, { fromSeq, deliveredBySlice: bySlice(run.plan, before) });
          const readFrom = Math.max(1, fromSeq - again);
          const came: ReturnType<typeof plain>[] = [];
          for await (const batch of source.read(readFrom)) {
            expect(batch.length).toBeGreaterThan(0);
            for (const message of batch) {
              if (message.seq >= fromSeq) source.delivered(message.seq);
              if (isOwn(message)) came.push(plain(message));
            }
          }
          expect(came).toEqual(all.filter((message) => isOwn(message) && message.seq >= readFrom).map(plain));
          expect(source.close()).toBe(kind === "direct" ? deleted.count : 0);
          expect(source.deliveredBySlice).toEqual(
            bySlice(
              run.plan,
              counts.map(({ seq }) => seq),
            ),
          );
        }
        await run.end();
      }),
      { numRuns: 12, endOnFailure: true },
    );
  }, 120_000);

  const whole: Cut = {
    ...{ range, ...partitionHashesEvenly(2), units: [{ id: "u0", partitions: [0, 1] }] },
    slices: [
      { fromSeq: 1, toSeq: 250 },
      { fromSeq: 251, toSeq: EVENTS },
    ],
  };

  it("does not close where something was not counted", async () => {
    const run = await begin(whole, kind);
    const source = await run.open("u0", { fromSeq: 1, deliveredBySlice: [0, 0] });
    let skipped = false;
    const read = async () => {
      for await (const batch of source.read(1)) {
        for (const { seq } of batch) {
          if (seq > 400 && !skipped) skipped = true;
          else source.delivered(seq);
        }
      }
      source.close();
    };
    await expect(read()).rejects.toThrow(SourceChangedError);
    await run.end();
  });

  it("does not pass over a message that was deleted since the plan", async () => {
    const own = await publishStream();
    const shared = [stream, deleted] as const;
    try {
      [stream, deleted] = [own, await deletedWithin(client, own, range)];
      const planned = await StagedRun.begin(
        client,
        own,
        { ...whole, deleted: { count: 0, sha256: deletionsSha256(deleted) } },
        kind,
      );
      await client.jsm.streams.deleteMessage(own, 333, false);
      const read = async () => {
        for (const { slice } of planned.plan.sliceUnits) await planned.pack(slice, { dies: false });
        const source = await planned.open("u0", { fromSeq: 1, deliveredBySlice: [0, 0] });
        for await (const batch of source.read(1)) for (const { seq } of batch) source.delivered(seq);
        source.close();
      };
      await expect(read()).rejects.toThrow(/sequence 333 of/);
      await planned.end();
    } finally {
      [stream, deleted] = shared;
      await client.jsm.streams.delete(own);
    }
  });
});
