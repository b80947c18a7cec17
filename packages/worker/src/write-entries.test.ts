import { hash } from "node:crypto";
import {
  type CompiledProjection,
  ConflictingWriterError,
  compileProjection,
  type Plan,
  silentLog,
} from "@cim-replay/core";
import { connectNats, deleteEntry, ensureBucket, EntryWriter, getEntry, type NatsClient } from "@cim-replay/nats";
import { uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { Pace } from "./pace.ts";
import { startRunWith } from "./run.fixture.ts";
import { UnitClaim } from "./unit-claim.ts";
import { workingSet } from "./working-set.fixture.ts";
import { writeEntries } from "./write-entries.ts";

const plain = compileProjection({ name: "plain", initial: () => ({}), evolve: (state) => state });

const pace = new Pace({ maxRate: null, maxBytesRate: null });

let client: NatsClient;
let bucket: string;
let plan: Plan;
let claim: UnitClaim;
let mode: "memory" | "disk";

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "test" });
});
afterAll(() => client.close());
beforeEach(async () => {
  bucket = uniqueName("TARGET");
  await ensureBucket(client, bucket);
});

/** Plans the run now: what is in the bucket is older. `epoch`: of who was at the unit before. */
async function planNow(epoch = 0): Promise<void> {
  const { lastRevision } = await ensureBucket(client, bucket);
  const started = await startRunWith(client, { target: { bucket, lastRevision } }, { epoch });
  const taken = await UnitClaim.take(started.ledger, started.job, "w1", silentLog);
  if (!taken) throw new Error("no claim");
  plan = started.plan;
  claim = taken;
}

async function write(states: Record<string, unknown>, projection: CompiledProjection = plain) {
  const working = await workingSet(mode);
  for (const [id, state] of Object.entries(states))
    Object.assign(working.table(0).add(id, id, 0), { state, events: 2, lastSeq: 9 });
  const { signal } = claim;
  return await writeEntries({
    client,
    plan,
    claim,
    projection,
    working,
    at: 0,
    partitions: 1,
    pace,
    signal,
    onWritten: () => {},
  });
}

/** As a replay of that run and epoch, or, with null, as any other client. */
async function put(key: string, value: string, run: { id: string; epoch: number } | null, revision: number) {
  if (!run) {
    await client.js.publish(`$KV.${bucket}.${key}`, value);
    return;
  }
  const writer = new EntryWriter(client, bucket);
  const sha256 = hash("sha256", value);
  writer.put(key, value, { run: run.id, epoch: run.epoch, lastSeq: 9, events: 2, sha256 }, revision);
  expect((await writer.flush()).refused).toEqual([]);
}

async function contentOf(key: string) {
  const entry = await getEntry(client, bucket, key);
  return entry && { ...entry, value: Buffer.from(entry.value).toString() };
}

describe.each(["memory", "disk"] as const)("writeEntries, with what it writes in %s", (bufferMode) => {
  beforeEach(() => {
    mode = bufferMode;
  });

  it("writes each complete aggregate with its provenance, and leaves parked and empty ones alone", async () => {
    await planNow();
    const working = await workingSet(mode);
    const table = working.table(0);
    Object.assign(table.add("a", "a", 0), { state: { z: 1, a: 2 }, events: 3, lastSeq: 7 });
    Object.assign(table.add("parked", "parked", 0), { state: {}, events: 1, lastSeq: 2, parked: true });
    table.add("empty", "empty", 0);
    const told: number[] = [];
    const entries = await writeEntries({
      client,
      plan,
      claim,
      projection: plain,
      working,
      at: 0,
      partitions: 1,
      pace,
      signal: claim.signal,
      onWritten: ({ written }) => told.push(written),
    });
    expect(entries).toMatchObject({ written: 1, unchanged: 0, bytes: 13 });
    expect(entries.digests).toMatchObject([{ entries: 1 }]);
    expect(told.at(-1)).toBe(1);
    expect(await contentOf("graph.a")).toMatchObject({
      value: '{"a":2,"z":1}',
      provenance: { run: plan.runId, epoch: 1, lastSeq: 7, events: 3 },
    });
    expect([await contentOf("graph.parked"), await contentOf("graph.empty")]).toEqual([null, null]);
  });

  it("replaces what was there before the plan: another run's, a stranger's, a deleted one", async () => {
    await put("graph.a", "{}", { id: "older-run", epoch: 4 }, 0);
    await put("graph.b", "by hand", null, 0);
    await put("graph.c", "{}", { id: "older-run", epoch: 4 }, 0);
    await deleteEntry(client, bucket, "graph.c", (await getEntry(client, bucket, "graph.c"))?.revision ?? 0);
    await planNow();
    expect(await write({ a: 1, b: 2, c: 3 })).toMatchObject({ written: 3, unchanged: 0 });
    const values = await Promise.all(["a", "b", "c"].map(async (id) => (await contentOf(`graph.${id}`))?.value));
    expect(values).toEqual(["1", "2", "3"]);
  });

  it("writes nothing twice: what an older epoch of this run wrote is left as it is", async () => {
    await planNow(7);
    await put("graph.a", "1", { id: plan.runId, epoch: 7 }, 0);
    expect(await write({ a: 1, b: 2 })).toMatchObject({ written: 1, unchanged: 1 });
    expect((await contentOf("graph.a"))?.provenance?.epoch).toBe(7);
    expect(await write({ a: 1, b: 2 })).toMatchObject({ written: 0, unchanged: 2 });
  });

  it("refuses to replace what this run wrote otherwise: two routing keys would share the entry", async () => {
    await planNow();
    await put("graph.a", '"other bytes"', { id: plan.runId, epoch: 7 }, 0);
    await expect(write({ a: 1, b: 2 })).rejects.toThrow(/graph\.a .*two subject tokens name one aggregate/);
    expect((await contentOf("graph.a"))?.value).toBe('"other bytes"');
  });

  it.each([
    ["a stranger", null, /a writer that is not cim-replay wrote revision 1/],
    ["another run", { id: "other-run", epoch: 1 }, /run other-run wrote revision 1/],
  ])("stops where %s wrote after the plan, and touches nothing of theirs", async (_, run, message) => {
    await planNow();
    await put("graph.a", "theirs", run, 0);
    for (const states of [{ a: 1 }, { a: 1, b: 2 }]) {
      const failure = write(states);
      await expect(failure).rejects.toThrow(ConflictingWriterError);
      await expect(failure).rejects.toThrow(message);
    }
    expect((await contentOf("graph.a"))?.value).toBe("theirs");
  });

  it("notices a writer that comes between its look and its put", async () => {
    await planNow();
    let putting: Promise<void> | undefined;
    const slow: CompiledProjection = {
      ...plain,
      encode(state) {
        putting ??= put("graph.b", "theirs", null, 0);
        return plain.encode(state);
      },
    };
    const aggregates = Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [i === 2_999 ? "b" : `a${i}`, i]));
    await expect(write(aggregates, slow)).rejects.toThrow(/entry graph\.b .*not cim-replay wrote/);
    await putting;
    expect((await contentOf("graph.b"))?.value).toBe("theirs");
  });

  it("takes the same bytes of an older epoch's last gasp for its own", async () => {
    await planNow();
    let putting: Promise<void> | undefined;
    const slow: CompiledProjection = {
      ...plain,
      encode(state) {
        putting ??= put("graph.b", '"same"', { id: plan.runId, epoch: 1 }, 0);
        return plain.encode(state);
      },
    };
    const aggregates = Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`a${i}`, i]));
    await write({ ...aggregates, b: "same" }, slow);
    await putting;
    expect((await contentOf("graph.b"))?.revision).toBeGreaterThan(0);
  });

  it("writes nothing where the unit is another's by now", async () => {
    await planNow();
    claim.stop(new Error("superseded"));
    await expect(write({ a: 1 })).rejects.toThrow("superseded");
    expect(await contentOf("graph.a")).toBeNull();
  });

  it("names key and size of an entry that is too large, and what cannot be written as JSON", async () => {
    await planNow();
    await expect(write({ large: "x".repeat(2_000_000) })).rejects.toThrow(/graph\.large \(2000002 bytes\)/);
    await expect(write({ nan: Number.NaN })).rejects.toThrow(/Cannot write entry graph\.nan: .*NaN/);
  });
});
