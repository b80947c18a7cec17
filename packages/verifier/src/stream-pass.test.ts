import {
  compileDomain,
  compileProjection,
  defineProjection,
  DeletedSequences,
  domainSettingsSchema,
  type Projection,
} from "@cim-replay/core";
import { connectNats, deletedWithin, type NatsClient, streamFacts } from "@cim-replay/nats";
import { uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { Discrepancies } from "./discrepancies.ts";
import { EntryTable } from "./entry-table.ts";
import { StreamFold } from "./stream-fold.ts";
import { streamPass } from "./stream-pass.ts";
import { presentTerms } from "./terms.ts";
import { countIndex, type Witness, witnessUpTo } from "./witness.ts";

const counter = defineProjection<{ n: number }>({
  name: "counter",
  initial: () => ({ n: 0 }),
  evolve: ({ n }) => ({ n: n + 1 }),
});

let client: NatsClient;
let name: string;

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "stream-pass-test" });
});
afterAll(() => client.close());

async function fill(count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, n) => publish(`a${n % 3}`, n)));
}

function publish(id: string, n: number) {
  const event = { aggregate_id: id, event_type: "Added", payload: { n }, timestamp: "2026-01-01T00:00:00Z" };
  return client.js.publish(`${name}.shop.${id}.Added`, JSON.stringify(event));
}

async function stage(count: number) {
  name = uniqueName("PASS");
  await client.jsm.streams.add({ name, subjects: [`${name}.>`] });
  await fill(count);
  const codec = compileDomain(
    "shop",
    domainSettingsSchema.parse({ stream: name, subject: `${name}.{domain}.{aggregate_id}.{event_type}` }),
  );
  const signal = new AbortController().signal;
  return { codec, signal };
}

async function facts() {
  const stream = await streamFacts(client, name);
  if (!stream) throw new Error("no stream");
  return stream;
}

describe("a pass over a stream", () => {
  async function pass(deleted: DeletedSequences, toSeq: number, codec: ReturnType<typeof compileDomain>) {
    const found = new Discrepancies();
    const stream = await facts();
    const terms = presentTerms(1, toSeq);
    const range = { fromSeq: 1, toSeq };
    const fold = new StreamFold({
      ...{ domain: "shop", codec, aggregateId: null, range, partitions: 1, partitionOf: () => 0, digest: true, found },
      projection: compileProjection(counter as unknown as Projection),
      ...{ projectionSha256: null, entries: new EntryTable("shop"), termsOf: () => terms, defaultTerms: terms },
    });
    const seen: number[] = [];
    const { signal } = new AbortController();
    const options = {
      stream,
      range,
      filterSubjects: [],
      mayExpire: false,
      deleted,
      signal,
      onProgress: (seq: number) => seen.push(seq),
    };
    const account = await streamPass(client, options, fold, found);
    return { account, found: found.toJSON().first, fold, last: seen.at(-1) };
  }

  it("accounts for every sequence: delivered, or known to be deleted", async () => {
    const { codec } = await stage(3_000);
    for (const seq of [1, 2, 1_500, 2_999, 3_000]) await client.jsm.streams.deleteMessage(name, seq);
    const deleted = await deletedWithin(client, name, { fromSeq: 1, toSeq: 3_000 });
    const { account, found, fold, last } = await pass(deleted, 3_000, codec);
    expect([account.delivered, account.missing, found, last]).toEqual([2_995, 0, [], 2_998]);
    expect([...fold.aggregates].map(({ routeKey, events }) => [routeKey, events])).toEqual([
      ["a2", 998],
      ["a0", 999],
      ["a1", 998],
    ]);
    expect(fold.contentByPartition()[0]?.events).toBe(2_995);
  });

  it("names the first of those that nobody knew to be deleted", async () => {
    const { codec } = await stage(100);
    for (const seq of [50, 51, 52, 99, 100]) await client.jsm.streams.deleteMessage(name, seq);
    const { account, found } = await pass(new DeletedSequences([{ fromSeq: 50, toSeq: 51 }]), 100, codec);
    expect(account).toMatchObject({ delivered: 95, missing: 3 });
    expect(found.map(({ kind, sequence }) => [kind, sequence])).toEqual([
      ["source", 52],
      ["source", 99],
    ]);
  });
});

describe("the server's index as a witness", () => {
  async function witness(codec: ReturnType<typeof compileDomain>, toSeq: number, signal: AbortSignal) {
    const { subjects } = codec;
    const counted = await countIndex(client, await facts(), codec, { subjects, mostSubjects: 1_000 });
    if (typeof counted === "string") throw new Error(counted);
    const answer = await witnessUpTo(client, counted, codec, { subjects, toSeq, signal });
    if (typeof answer === "string") throw new Error(answer);
    return answer;
  }
  const countsOf = (of: Witness, seq: number) =>
    Object.fromEntries([...of.keys()].sort().map((key) => [key, [of.upTo(key, seq).min, of.upTo(key, seq).max]]));

  it("counts each aggregate up to any sequence from the one that was asked for", async () => {
    const { codec, signal } = await stage(30);
    await fill(6);
    await publish("late", 1);
    const of = await witness(codec, 30, signal);
    expect(countsOf(of, 30)).toEqual({ a0: [10, 10], a1: [10, 10], a2: [10, 10], late: [0, 0] });
    expect(countsOf(of, 33)).toEqual({ a0: [11, 11], a1: [11, 11], a2: [11, 11], late: [0, 0] });
    expect(countsOf(of, 99)).toEqual({ a0: [12, 12], a1: [12, 12], a2: [12, 12], late: [1, 1] });
  });

  it("gives bounds that hold the truth while somebody publishes all the time", async () => {
    const { codec, signal } = await stage(300);
    let writing = true;
    const writer = (async () => {
      for (let n = 0; writing; n++) await publish(`a${n % 3}`, n);
    })();
    try {
      for (let i = 0; i < 5; i++) {
        const of = await witness(codec, 300, signal);
        for (const [min, max] of Object.values(countsOf(of, 300))) {
          expect(min).toBeLessThanOrEqual(100);
          expect(max).toBeGreaterThanOrEqual(100);
        }
      }
    } finally {
      writing = false;
      await writer;
    }
  });

  it("says why it bears none: the stream has grown by too much, or has too many subjects", async () => {
    const { codec, signal } = await stage(9);
    const { subjects } = codec;
    const counted = { byKey: new Map(), countedTo: 1, after: { ...(await facts()), lastSeq: 1_000_000 } };
    const answer = await witnessUpTo(client, counted, codec, { subjects, toSeq: 1, signal });
    expect(answer).toMatch(/has grown by 999999 sequences/);
    expect(await countIndex(client, await facts(), codec, { subjects, mostSubjects: 2 })).toMatch(/too many subjects/);
    expect(await countIndex(client, await facts(), codec, { subjects, mostSubjects: 3 })).toMatchObject({
      countedTo: 9,
    });
  });
});
