import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNats, ensureBucket, FileStore, type NatsClient } from "@cim-replay/nats";
import { startNats, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { contentOf, fill, sourceOf } from "./archives.fixture.ts";
import {
  CHECKPOINT_STORE,
  createCheckpoint,
  deleteCheckpoint,
  dropOldAutomatic,
  listCheckpoints,
  withCheckpoint,
} from "./checkpoints.ts";
import { restoreArchive } from "./restore.ts";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let bucket: string;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
  await client.jsm.streams.add({ name: "EVENTS", subjects: ["events.>"] });
  await client.js.publish("events.shop.a.Moved", "{}");
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});
beforeEach(async () => {
  bucket = uniqueName("POINT");
  await ensureBucket(client, bucket);
  const ids = Array.from({ length: 300 }, (_, i) => `shop.${i}`);
  await fill(
    client,
    bucket,
    [...ids, "person.p"].map((key) => ({ key, value: `{"key":"${key}"}` })),
  );
});

const domains = [sourceOf("person", "EVENTS"), sourceOf("shop", "EVENTS"), sourceOf("later", "NOWHERE")];
const signal = new AbortController().signal;

function create(name: string, changes: Partial<Parameters<typeof createCheckpoint>[1]> = {}) {
  return createCheckpoint(client, {
    ...{ name, automatic: false, domains, wholeBucket: true, bucket, toolVersion: "test" },
    ...changes,
  });
}

function restore(name: string) {
  return withCheckpoint(client, name, (archive) => restoreArchive(client, { archive, bucket, dryRun: false, signal }));
}

/** Changes an entry, once, as soon as the first ones are read. */
function onceWhileReading(change: () => Promise<unknown>, times = 1) {
  let left = times;
  return async () => {
    if (left-- > 0) await change();
  };
}

test("a checkpoint brings all its domains back to one moment, twice the same, and leaves no file behind", async () => {
  const before = await contentOf(client, bucket);
  const folder = mkdtempSync(join(tmpdir(), "cim-replay-points-"));
  vi.stubEnv("TMPDIR", folder);
  await create("one");
  await client.js.publish(`$KV.${bucket}.shop.1`, "damaged");
  await client.js.publish(`$KV.${bucket}.later.new`, "{}");
  expect(await restore("one")).toEqual({ written: 1, unchanged: 300, removed: 1, verified: 301 });
  expect(await restore("one")).toEqual({ written: 0, unchanged: 301, removed: 0, verified: 301 });
  expect(await contentOf(client, bucket)).toEqual(before);
  expect(readdirSync(folder)).toEqual([]);
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
  await deleteCheckpoint(client, "one");
});

test("is listed with its moment: all domains of a stream at one position", async () => {
  const { manifest, sha256 } = await create("listed");
  const { checkpoints, strange } = await listCheckpoints(client);
  const { created } = (await client.jsm.streams.info("EVENTS")) ?? {};
  expect(strange).toEqual([]);
  expect(checkpoints).toMatchObject([
    {
      ...{ name: "listed", automatic: false, bucket, entries: 301, sha256, taken_at: manifest.taken_at },
      domains: [
        { name: "person", stream: { name: "EVENTS", created, last_seq: 1 } },
        { name: "shop", stream: { name: "EVENTS", created, last_seq: 1 } },
        { name: "later", stream: null },
      ],
    },
  ]);
  await deleteCheckpoint(client, "listed");
  expect((await listCheckpoints(client)).checkpoints).toEqual([]);
  await expect(deleteCheckpoint(client, "listed")).rejects.toThrow("there is none of that name");
  await expect(restore("listed")).rejects.toThrow("there is none of that name");
});

test("an entry written, deleted or purged meanwhile is noticed, and it begins again until it is of one moment", async () => {
  const changes = [
    () => client.js.publish(`$KV.${bucket}.shop.1`, "new"),
    () => client.js.publish(`$KV.${bucket}.stranger.x`, "{}"),
    () => client.jsm.streams.purge(`KV_${bucket}`, { filter: `$KV.${bucket}.shop.2` }),
  ];
  for (const [index, change] of changes.entries()) {
    const onProgress = onceWhileReading(change);
    const retries: string[] = [];
    await create(`again-${index}`, { onProgress, onRetry: (reason) => retries.push(reason) });
    expect(retries).toEqual(["entries changed while they were read"]);
    const now = await contentOf(client, bucket);
    await restore(`again-${index}`);
    expect(await contentOf(client, bucket)).toEqual(now);
    await deleteCheckpoint(client, `again-${index}`);
  }
});

test("is refused, and nothing kept, where it never stands still", async () => {
  let n = 0;
  const onProgress = onceWhileReading(() => client.js.publish(`$KV.${bucket}.shop.1`, `${n++}`), 99);
  await expect(create("never", { onProgress, attempts: 2 })).rejects.toThrow(
    /Cannot keep bucket \S+ as it is at one moment: entries changed while they were read, 2 times in a row/,
  );
  expect((await listCheckpoints(client)).checkpoints).toEqual([]);
});

test("names are checked, and a taken one is refused, also of two at the same time", async () => {
  for (const name of ["", "../up", "a b", ".hidden", "x".repeat(101)]) {
    await expect(create(name)).rejects.toThrow("Cannot call a checkpoint");
  }
  const both = await Promise.allSettled([create("twin"), create("twin")]);
  expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  await expect(create("twin")).rejects.toThrow("Cannot create checkpoint twin: there is one of that name");
  await deleteCheckpoint(client, "twin");
});

test("one whose bytes are damaged is refused before anything is written", async () => {
  await create("hurt");
  await client.js.publish(`$KV.${bucket}.shop.1`, "damaged");
  const before = await contentOf(client, bucket);
  const stream = `OBJ_${CHECKPOINT_STORE}`;
  const chunk = await client.jsm.streams.getMessage(stream, { last_by_subj: `$O.${CHECKPOINT_STORE}.C.>` });
  await client.jsm.streams.deleteMessage(stream, chunk?.seq ?? 0);
  await expect(restore("hurt")).rejects.toThrow("Cannot read hurt from object store");
  expect(await contentOf(client, bucket)).toEqual(before);
  await deleteCheckpoint(client, "hurt");
});

test("old automatic ones of the bucket make room; those made by hand and strangers' files stay", async () => {
  await create("by-hand");
  for (const n of [1, 2, 3]) await create(`auto-${n}`, { automatic: true });
  const store = await FileStore.open(client, CHECKPOINT_STORE, { create: false });
  await store?.put("strange", (async function* () {})(), {});
  expect(await dropOldAutomatic(client, "OTHER", 1)).toEqual([]);
  expect(await dropOldAutomatic(client, bucket, 2)).toEqual(["auto-1"]);
  const { checkpoints, strange } = await listCheckpoints(client);
  expect(checkpoints.map(({ name }) => name)).toEqual(["by-hand", "auto-2", "auto-3"]);
  expect(strange).toEqual(["strange"]);
});
