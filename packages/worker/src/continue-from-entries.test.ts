import { hash } from "node:crypto";
import { compileProjection, parseEntryKey, type Provenance } from "@cim-replay/core";
import { connectNats, ensureBucket, EntryWriter, type NatsClient } from "@cim-replay/nats";
import { planOf, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { AggregateTable } from "./aggregate-table.ts";
import { readExistingEntries } from "./continue-from-entries.ts";
import { workingSet } from "./working-set.fixture.ts";

const plain = compileProjection({ name: "plain", initial: () => ({}), evolve: (state) => state });

let client: NatsClient;
let bucket: string;
let mode: "memory" | "disk";

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "test" });
});
afterAll(() => client.close());
beforeEach(async () => {
  bucket = uniqueName("TARGET");
  await ensureBucket(client, bucket);
});

async function put(key: string, value: string, provenance: Partial<Provenance> = {}): Promise<void> {
  const writer = new EntryWriter(client, bucket);
  const sha256 = hash("sha256", value);
  writer.put(key, value, { run: "older", epoch: 1, lastSeq: 20, events: 5, sha256, ...provenance }, 0);
  await writer.flush();
}

/** Ids with a `b` at their start are the second partition's, with an `x` another unit's. */
const read = async (projection = plain) =>
  readExistingEntries({
    working: await workingSet(mode),
    client,
    plan: planOf("run", { target: { bucket, lastRevision: 99 } }),
    projection,
    partitions: 2,
    partitionOfKey: (key) => ["a", "b"].indexOf(parseEntryKey(key)?.aggregateId[0] ?? ""),
  });

describe.each(["memory", "disk"] as const)("readExistingEntries, keeping them in %s", (bufferMode) => {
  beforeEach(() => {
    mode = bufferMode;
  });

  it("gives each aggregate the state and the place of its entry, once", async () => {
    await put("graph.a", '{"n":1}', { lastSeq: 33, events: 7 });
    await put("workflow.a", '{"n":2}');
    const existing = await read();
    const table = new AggregateTable("graph");
    const known = table.add("a", "a", 0);
    expect(existing.seed(known)).toBe(7);
    expect(known).toMatchObject({ state: { n: 1 }, events: 7, lastSeq: 33, appliedUpToSeq: 33 });
    const unknown = table.add("a2", "a2", 0);
    expect(existing.seed(unknown)).toBe(0);
    expect(unknown).toMatchObject({ state: undefined, events: 0, appliedUpToSeq: 0 });
    expect(existing.seed(known)).toBe(0);
  });

  it("adds up what the entries of all other aggregates hold, by partition, and no other unit's", async () => {
    await put("graph.a1", "{}", { events: 1 });
    await put("graph.a2", "{}", { events: 10 });
    await put("graph.b1", "{}", { events: 100 });
    await put("graph.b2", "{}", { events: 1_000 });
    await put("graph.x", "{}", { events: 5 });
    const existing = await read();
    expect(existing.eventsOfOthers([])).toEqual([11, 1_100]);
    const table = new AggregateTable("graph");
    // One that is seeded, and one that a checkpoint brought back.
    existing.seed(table.add("a1", "a1", 0));
    table.add("b2", "b2", 1);
    expect(existing.eventsOfOthers(table.all())).toEqual([10, 100]);
  });

  it("refuses an entry that nobody knows the events of, or that cannot be decoded", async () => {
    await client.js.publish(`$KV.${bucket}.graph.x`, "another unit's matter");
    await read();
    await put("graph.a", "no JSON");
    await expect(read()).rejects.toThrow(/go on from entry graph\.a: .*JSON.*--from-beginning/);
    await client.js.publish(`$KV.${bucket}.graph.a`, "{}");
    await expect(read()).rejects.toThrow(/entry graph\.a: it has no provenance/);
  });

  it("says where the projection has no way back", async () => {
    await put("graph.a", "{}");
    const oneWay = compileProjection({ name: "one-way", initial: () => 0, evolve: () => 0, encode: () => ({}) });
    await expect(read(oneWay)).rejects.toThrow(/entry graph\.a: .*one-way: it has encode and no decode/);
  });
});
