import { newUnitRecord } from "@cim-replay/core";
import { connectNats, ensureBucket, type NatsClient } from "@cim-replay/nats";
import { planOf, runOf, settingsOf, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { findOrphans } from "./orphans.ts";

const LEFT = ["graph.a", "graph.b", "graph.c"];

let client: NatsClient;
beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "test" });
});
afterAll(() => client.close());

/** A run with `--prune` that wrote nothing, and a bucket with entries that an older one left. */
async function leftovers() {
  const bucket = uniqueName("ORPHANS");
  await ensureBucket(client, bucket);
  const acks = await Promise.all(LEFT.map((key) => client.js.publish(`$KV.${bucket}.${key}`, "{}")));
  const run = runOf(bucket, { settings: settingsOf(bucket, { prune: true, target: bucket }) });
  const plan = planOf(bucket);
  const target = { ...plan.target, bucket, lastRevision: Math.max(...acks.map(({ seq }) => seq)) };
  const left = async () => (await client.jsm.streams.info(`KV_${bucket}`)).state.messages;
  const search = (signal: AbortSignal) =>
    findOrphans(client, run, { ...plan, target }, [newUnitRecord(bucket, "u0", 1, 1)], signal);
  return { bucket, search, left };
}

describe("findOrphans", () => {
  it("removes what an older run left", async () => {
    const { bucket, search } = await leftovers();
    expect(await search(new AbortController().signal)).toMatchObject({ total: 3, pruned: 3 });
    const info = await client.jsm.streams.info(`KV_${bucket}`, { subjects_filter: ">" });
    // Each key's last message is its removal: one more an entry, or the only one where the bucket keeps no history.
    expect(info.state.last_seq).toBe(6);
  });

  it("stops where nobody wants the outcome any more, and removes nothing from then on", async () => {
    const { bucket, search, left } = await leftovers();
    await expect(search(AbortSignal.abort(new Error("paused")))).rejects.toThrow("paused");
    expect(await left()).toBe(3);
    expect((await client.jsm.streams.info(`KV_${bucket}`)).state.last_seq).toBe(3);
  });
});
