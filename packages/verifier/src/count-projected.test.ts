import { hash } from "node:crypto";
import { domainSettingsSchema } from "@cim-replay/core";
import {
  connectNats,
  deleteEntry,
  EntryWriter,
  ensureBucket,
  type NatsClient,
  QuarantineStore,
} from "@cim-replay/nats";
import { startNats, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { countProjected } from "./count-projected.ts";
import { countProjectedTypes } from "./count-projected-types.ts";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let name: string;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});
beforeEach(async () => {
  name = uniqueName("COUNT");
  await ensureBucket(client, name);
});

/** Keys with the number of their events and the sequence of the last. */
async function put(entries: Readonly<Record<string, readonly [events: number, lastSeq: number]>>): Promise<void> {
  const writer = new EntryWriter(client, name);
  for (const [key, [events, lastSeq]] of Object.entries(entries)) {
    await writer.put(key, "{}", { run: name, epoch: 1, lastSeq, events, sha256: hash("sha256", "{}") }, 0);
  }
  expect(await writer.flush()).toEqual({ refused: [] });
}

describe("the events of a domain's entries", () => {
  it("are summed up by what the entries say, of this domain and of what is still there", async () => {
    await put({ "graph.b": [2, 9], "graph.a": [40, 10], "person.a": [7, 3], "graph.gone": [5, 5] });
    await deleteEntry(client, name, "graph.gone", 4);
    const { events, entries } = await countProjected(client, name, "graph");
    expect(events).toBe(42);
    expect([...entries]).toEqual([
      ["graph.a", { events: 40, lastSeq: 10, run: name }],
      ["graph.b", { events: 2, lastSeq: 9, run: name }],
    ]);
    expect(await countProjected(client, name, "none")).toMatchObject({ events: 0 });
  });

  it("are not guessed where entries do not say them", async () => {
    await put({ "graph.a": [40, 10] });
    for (const id of ["b", "c", "d", "e"]) await client.js.publish(`$KV.${name}.graph.${id}`, "{}");
    await expect(countProjected(client, name, "graph")).rejects.toThrow(
      `4 of its 5 entries in bucket ${name} do not say how many they hold (graph.b, graph.c, graph.d, …)`,
    );
    await expect(countProjected(client, "NONE", "graph")).rejects.toThrow("bucket NONE");
  });

  it("are counted by type, in all spellings, up to each entry's last and without those in quarantine", async () => {
    await client.jsm.streams.add({ name, subjects: [`${name}.>`] });
    const events = ["a NodeAdded", "a node_added", "b EdgeAdded", "a NodeRemoved", "b NodeCreated", "c NodeAdded"];
    for (const [i, event] of events.entries()) {
      const [id, type] = event.split(" ");
      const envelope = {
        event_id: `${i}`,
        aggregate_id: id,
        event_type: type,
        payload: {},
        timestamp: "2026-01-01T00:00:00Z",
      };
      await client.js.publish(`${name}.graph.${id}.${type}`, JSON.stringify(envelope));
    }
    await client.js.publish(`${name}.graph.a.NodeAdded`, "no JSON");
    // The entry of b was written before b's second event, that of c never; the fourth event was skipped.
    await put({ "graph.a": [2, 7], "graph.b": [1, 3] });
    const store = await QuarantineStore.open(client, { create: true });
    await store?.put({
      ...{ runId: name, domain: "graph", unit: "u", stream: name, seq: 4, subject: "s", aggregateId: "a" },
      ...{ kind: "evolve", reason: "bad", data: new Uint8Array(0), headers: undefined },
    });
    const domainSettings = domainSettingsSchema.parse({
      stream: name,
      subject: `${name}.{domain}.{aggregate_id}.{event_type}`,
    });
    const counts = await countProjected(client, name, "graph");
    const signal = new AbortController().signal;
    expect(
      await countProjectedTypes(client, counts, { domain: "graph", bucket: name, domainSettings, signal }),
    ).toEqual([
      { type: "nodeadded", spellings: ["NodeAdded", "node_added"], events: 2 },
      { type: "edgeadded", spellings: ["EdgeAdded"], events: 1 },
    ]);
  });
});
