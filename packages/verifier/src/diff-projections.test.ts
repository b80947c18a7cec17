import { startNats, uniqueName } from "@cim-replay/testkit";
import { connectNats, deleteEntry, EntryWriter, ensureBucket, type NatsClient } from "@cim-replay/nats";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { diffProjections } from "./diff-projections.ts";
import { hash } from "node:crypto";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let left: string;
let right: string;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});
beforeEach(async () => {
  [left, right] = [uniqueName("LEFT"), uniqueName("RIGHT")];
  for (const bucket of [left, right]) await ensureBucket(client, bucket);
});

async function put(bucket: string, entries: Readonly<Record<string, string>>): Promise<void> {
  const writer = new EntryWriter(client, bucket);
  for (const [key, value] of Object.entries(entries)) {
    await writer.put(key, value, { run: "r", epoch: 1, lastSeq: 1, events: 1, sha256: hash("sha256", value) }, 0);
  }
  expect(await writer.flush()).toEqual({ refused: [] });
}

const diff = (options: { domain?: string; samples?: number; keysAPass?: number } = {}) =>
  diffProjections({
    ...{ client, left, right, domain: null, samples: 20, signal: new AbortController().signal },
    ...options,
  });

describe("two buckets", () => {
  it("are the same where all their entries are, in whatever order they were written", async () => {
    await put(left, { "graph.a": '{"n":1}', "graph.b": '{"n":2}' });
    await put(right, { "graph.b": '{"n":2}', "graph.a": '{"n":1}' });
    expect(await diff()).toMatchObject({
      ...{ leftEntries: 2, rightEntries: 2, same: 2, sameInOtherBytes: 0, paths: [] },
      ...{ changed: { total: 0 }, added: { total: 0 }, removed: { total: 0 } },
    });
  });

  it("differ in keys that are changed, added, removed, by path", async () => {
    await put(left, { "graph.a": '{"l":[1,2],"n":1}', "graph.b": "{}", "graph.c": '{"a":1,"b":2}', "person.a": "1" });
    await put(right, { "graph.a": '{"l":[1,3],"n":2}', "graph.d": "{}", "graph.c": '{"b":2,"a":1}', "person.a": "2" });
    await put(left, { "graph.gone": "{}" });
    await deleteEntry(client, left, "graph.gone", 5);
    const found = await diff({ domain: "graph" });
    expect(found).toMatchObject({
      ...{ leftEntries: 3, rightEntries: 3, same: 0, sameInOtherBytes: 1, placesAtOtherPaths: 0 },
      added: { total: 1, samples: [{ key: "graph.d", changes: [] }] },
      removed: { total: 1, samples: [{ key: "graph.b", changes: [] }] },
      paths: [
        { path: "l[*]", places: 1 },
        { path: "n", places: 1 },
      ],
    });
    expect(found.changed.samples).toEqual([
      {
        key: "graph.a",
        changes: [
          { path: ["l", 1], left: 2, right: 3 },
          { path: ["n"], left: 1, right: 2 },
        ],
        furtherChanges: 0,
      },
    ]);
    expect((await diff()).changed.total).toBe(2);
  });

  it("differ alike in one pass and in many, and show the first keys by name", async () => {
    const entries = (from: number, to: number, of: (i: number) => string) =>
      Object.fromEntries(Array.from({ length: to - from }, (_, i) => [`graph.${1000 + from + i}`, of(from + i)]));
    await put(
      left,
      entries(0, 300, (i) => `{"n":${i}}`),
    );
    await put(
      right,
      entries(100, 400, (i) => `{"n":${i % 2 === 0 ? i : -i}}`),
    );
    const whole = await diff({ samples: 3 });
    expect(whole).toMatchObject({ same: 100, changed: { total: 100 }, added: { total: 100 }, removed: { total: 100 } });
    expect(whole.changed.samples.map(({ key }) => key)).toEqual(["graph.1101", "graph.1103", "graph.1105"]);
    expect(whole.added.samples.map(({ key }) => key)).toEqual(["graph.1300", "graph.1301", "graph.1302"]);
    expect(whole.paths).toEqual([{ path: "n", places: 100 }]);
    expect(await diff({ samples: 3, keysAPass: 37 })).toEqual(whole);
  });

  it("are refused where one is missing, or both are one", async () => {
    await expect(diffProjections({ ...task(), right: "NONE" })).rejects.toThrow("bucket NONE");
    await expect(diffProjections({ ...task(), right: left })).rejects.toThrow("with itself");
  });
});

function task() {
  return { client, left, right, domain: null, samples: 1, signal: new AbortController().signal };
}
