import { compileProjection, planSchema, ReplayError, type RunSettings, UsageError } from "@cim-replay/core";
import { connectNats, ensureBucket, type NatsClient, streamFacts } from "@cim-replay/nats";
import { settingsOf, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { planReplay } from "./plan-replay.ts";
import { publishGraphs } from "./run.fixture.ts";

const counting = compileProjection({ name: "counting", initial: () => ({ n: 0 }), evolve: (state) => state });

let client: NatsClient;
let stream: string;

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "test" });
});
afterAll(() => client.close());
beforeEach(() => {
  stream = uniqueName("STREAM");
});

const plan = (changes: Partial<RunSettings> = {}) => planReplay(client, settingsOf(stream, changes), [counting], "run");

describe("planReplay", () => {
  it("pins stream, range and counts, tiles slices and the key space, and writes nothing", async () => {
    await publishGraphs(client, stream, ["a", "b", "c", "a", "b", "a"]);
    const pinned = await plan({ parallel: 2 });
    const facts = await streamFacts(client, stream);
    expect(planSchema.parse(pinned)).toEqual(pinned);
    expect(pinned).toMatchObject({
      runId: "run",
      stream: { name: stream, created: facts?.created, firstSeq: 1, lastSeq: 6 },
      range: { fromSeq: 1, toSeq: 6 },
      slices: [{ fromSeq: 1, toSeq: 6 }],
      deleted: { count: 0 },
      expected: { events: 6, aggregates: 3 },
      partitionBy: "id",
      target: { lastRevision: 0 },
      warnings: [],
    });
    expect(pinned.partitions).toMatchObject([
      { fromKey: null, toKey: "b", expected: { minEvents: 3, maxEvents: 3, aggregates: 1 } },
      { fromKey: "b", toKey: null, expected: { minEvents: 3, maxEvents: 3, aggregates: 2 } },
    ]);
    expect(pinned.units.flatMap(({ partitions }) => partitions).sort()).toEqual([0, 1]);
    expect(await streamFacts(client, `KV_TARGET_${stream}`)).toBeNull();
  });

  it("pins the same twice", async () => {
    await publishGraphs(client, stream, ["a", "b", "c"]);
    const what = async () => {
      const { stream: source, range, deleted, partitions, slices, expected } = await plan();
      return { source, range, deleted, partitions, slices, expected };
    };
    expect(await what()).toEqual(await what());
  });

  it("knows of deletions, and warns of them and of what the stream no longer has", async () => {
    await publishGraphs(client, stream, ["a", "b", "c", "a", "b", "a"]);
    await client.jsm.streams.purge(stream, { seq: 3 });
    await client.jsm.streams.deleteMessage(stream, 4);
    const pinned = await plan();
    expect(pinned).toMatchObject({ range: { fromSeq: 3, toSeq: 6 }, deleted: { count: 1 } });
    expect(pinned.warnings.join(" ")).toMatch(/begins at sequence 3.*1 messages within the range were deleted/);
  });

  it("is certain of no lower bound where the range is only a part", async () => {
    await publishGraphs(client, stream, ["a", "b", "a", "b"]);
    const pinned = await plan({ fromSeq: 2, toSeq: 3, parallel: 1 });
    expect(pinned).toMatchObject({ range: { fromSeq: 2, toSeq: 3 }, slices: [{ fromSeq: 2, toSeq: 3 }] });
    expect(pinned.partitions[0]?.expected).toEqual({ minEvents: 0, maxEvents: 4, aggregates: 2 });
  });

  it("takes one aggregate alone, by its own subjects", async () => {
    await publishGraphs(client, stream, ["aa", ...Array.from({ length: 400 }, () => "b"), "aa"]);
    const pinned = await plan({ aggregateId: "aa" });
    expect(pinned.read.filterSubjects).toEqual([`${stream}.graph.aa`, `${stream}.graph.aa.>`]);
    expect(pinned.partitions).toMatchObject([
      { fromKey: "aa", expected: { minEvents: 2, maxEvents: 2, aggregates: 1 } },
    ]);
    expect(pinned.units).toEqual([{ id: "u0", partitions: [0] }]);
    await expect(plan({ aggregateId: "no legal token" })).rejects.toThrow(/the id is no legal subject token/);
  });

  it("makes as many units as are asked for, and no more than there are partitions", async () => {
    await publishGraphs(client, stream, ["a", "b", "c", "d"]);
    expect((await plan({ units: 3 })).units).toHaveLength(3);
    expect((await plan({ units: 9, parallel: 2 })).units).toHaveLength(2);
  });

  it("pins the target's last revision, of whomever it is", async () => {
    await publishGraphs(client, stream, ["a"]);
    await ensureBucket(client, `TARGET_${stream}`);
    await client.js.publish(`$KV.TARGET_${stream}.workflow.x`, "{}");
    await client.js.publish(`$KV.TARGET_${stream}.graph.a`, "{}");
    expect((await plan()).target).toEqual({ bucket: `TARGET_${stream}`, lastRevision: 2 });
  });

  it("refuses a bucket whose entries expire", async () => {
    await publishGraphs(client, stream, ["a"]);
    const subjects = [`$KV.EXPIRING_${stream}.>`];
    await client.jsm.streams.add({ name: `KV_EXPIRING_${stream}`, subjects, max_age: 60_000_000_000 });
    const failure = plan({ target: `EXPIRING_${stream}` });
    await expect(failure).rejects.toThrow(/bucket EXPIRING_\S+: its entries expire after 60 s \(TTL\)/);
    await expect(failure).rejects.toBeInstanceOf(ReplayError);
  });

  it.each([
    ["a domain without events", { domain: "person" }, /domain person: stream STREAM_\S+ holds no event on STREAM/],
    ["an aggregate without events", { aggregateId: "zz" }, /aggregate zz: stream STREAM_\S+ holds no event/],
    ["a range beyond the stream", { fromSeq: 50 }, /nothing in the requested range \(it has sequences 1 to 1\)/],
    ["times before the stream", { timeBasis: "server" as const, toTimeMs: 1 }, /nothing in the requested range/],
  ])("names what is wrong with %s", async (_, changes, message) => {
    await publishGraphs(client, stream, ["a"]);
    const failure = plan(changes);
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.toBeInstanceOf(UsageError);
  });

  it("says on how many sampled events the two clocks differ", async () => {
    await publishGraphs(client, stream, ["a", "b", "a"]);
    const fromTimeMs = Date.parse("2026-06-01T00:00:00Z");
    expect((await plan({ fromTimeMs })).warnings.join()).toMatch(
      /Of 3 sampled events, 3 fall on another side.*--time-basis/,
    );
  });
});
