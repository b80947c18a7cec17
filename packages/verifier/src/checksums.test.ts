import { hash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNats, deleteEntry, EntryWriter, ensureBucket, type NatsClient } from "@cim-replay/nats";
import { startNats, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from "vitest";
import { takeChecksums } from "./checksums.ts";
import { checksumsHold, verifyChecksums } from "./checksums-compare.ts";
import { type Checksums, checksumsText, parseChecksums, readChecksums, rootOf } from "./checksums-file.ts";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let name: string;
let folder: string;
const takenAt = new Date("2026-01-31T12:00:00Z");

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
  folder = await mkdtemp(join(tmpdir(), "cim-replay-checksums-"));
});
afterAll(async () => {
  await client.close();
  await nats.stop();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  name = uniqueName("SUMS");
  await ensureBucket(client, name);
  await client.jsm.streams.add({ name, subjects: [name] });
  await client.js.publish(name, "an event");
});

async function put(key: string, value: string, expectedRevision = 0): Promise<void> {
  const writer = new EntryWriter(client, name);
  const provenance = { run: "r", epoch: 1, lastSeq: 1, events: 1, sha256: hash("sha256", value) };
  await writer.put(key, value, provenance, expectedRevision);
  expect(await writer.flush()).toEqual({ refused: [] });
}

const take = () => takeChecksums(client, { domain: "graph", bucket: name, stream: name }, takenAt);

describe("checksums of a domain", () => {
  it("hold the hash of each value by key, a root over them, and where stream and bucket were", async () => {
    await put("graph.b", "2");
    await put("graph.a", "1");
    await put("person.a", "3");
    const checksums = await take();
    expect(checksums).toMatchObject({
      ...{ format: "cim-replay-checksums", version: 1, domain: "graph", taken_at: "2026-01-31T12:00:00.000Z" },
      stream: { name, created: expect.stringMatching(/^20/), last_seq: 1 },
      bucket: { name, created: expect.stringMatching(/^20/), last_revision: 3 },
    });
    expect(checksums.entries).toEqual([
      ["graph.a", hash("sha256", "1")],
      ["graph.b", hash("sha256", "2")],
    ]);
    expect(checksums.root).toBe(rootOf(checksums.entries));
  });

  it("are refused where there is nothing to take them of", async () => {
    await expect(take()).rejects.toThrow("holds no entry of it");
    await put("graph.a", "1");
    const source = { domain: "graph", bucket: name, stream: name };
    await expect(takeChecksums(client, { ...source, stream: "NONE" }, takenAt)).rejects.toThrow("stream NONE");
    await expect(takeChecksums(client, { ...source, bucket: "NONE" }, takenAt)).rejects.toThrow("bucket NONE");
  });

  it("tell apart what was altered, what is missing, and what is extra", async () => {
    for (const id of ["a", "b", "c", "d"]) await put(`graph.${id}`, id);
    const checksums = await take();
    expect(checksumsHold(await verifyChecksums(client, checksums, name))).toBe(true);
    await put("person.a", "another domain's");
    expect(checksumsHold(await verifyChecksums(client, checksums, name))).toBe(true);
    await put("graph.b", "B", 2);
    await deleteEntry(client, name, "graph.c", 3);
    await put("graph.e", "e");
    const verdict = await verifyChecksums(client, checksums, name);
    expect(checksumsHold(verdict)).toBe(false);
    expect(verdict).toMatchObject({
      ...{ expectedEntries: 4, foundEntries: 4 },
      altered: [{ key: "graph.b", expected: hash("sha256", "b"), found: hash("sha256", "B") }],
      ...{ missing: ["graph.c"], extra: ["graph.e"] },
    });
    expect(verdict.root).not.toBe(checksums.root);
  });

  it("are not taken of a domain that is being written", async () => {
    for (let i = 0; i < 3_000; i++) await client.js.publish(`$KV.${name}.graph.${i}`, "x".repeat(500));
    let isWriting = true;
    const writing = (async () => {
      for (let i = 0; isWriting; i++) await client.js.publish(`$KV.${name}.graph.${i % 3_000}`, `${i}`);
    })();
    try {
      await expect(take()).rejects.toThrow("were written meanwhile");
    } finally {
      isWriting = false;
      await writing;
    }
    expect((await take()).entries).toHaveLength(3_000);
  });
});

describe("a file of checksums", () => {
  const entries: Checksums["entries"] = [
    ["graph.a", hash("sha256", "1")],
    ["graph.b", hash("sha256", "2")],
  ];
  const checksums: Checksums = {
    ...{ format: "cim-replay-checksums", version: 1, domain: "graph", taken_at: takenAt.toISOString() },
    stream: { name: "EVENTS", created: "2026", last_seq: 7 },
    bucket: { name: "B", created: "2026", last_revision: 8 },
    ...{ entries, root: rootOf(entries) },
  };

  test("comes back as it was written", async () => {
    const path = join(folder, "sums.json");
    await writeFile(path, checksumsText(checksums));
    expect(await readChecksums(path, "graph")).toEqual(checksums);
    await expect(readChecksums(join(folder, "none.json"), "graph")).rejects.toThrow(/^Cannot read .*none\.json/);
  });

  const text = checksumsText(checksums);
  const swapped = { ...checksums, entries: entries.toReversed(), root: rootOf(entries.toReversed()) };
  const foreign: Checksums["entries"] = [["person.a", hash("sha256", "1")]];
  test.each([
    ["a hash is edited", text.replace(/6b86/, "6b87"), "its root does not fit its list"],
    ["the root is edited", text.replace(`"root":"`, `"root":"0`).replace(/(0[0-9a-f]{63})[0-9a-f]"/, '$1"'), "root"],
    ["an entry is taken out", checksumsText({ ...checksums, entries: entries.slice(1) }), "its root does not fit"],
    ["a key is there twice", text.replace("graph.b", "graph.a"), "out of order or there twice"],
    ["keys are out of order", checksumsText(swapped), "out of order"],
    [
      "a key is another domain's",
      checksumsText({ ...checksums, entries: foreign, root: rootOf(foreign) }),
      "is none of",
    ],
    ["it is of a later version", text.replace('"version":1', '"version":2'), "it is no file of checksums (version"],
    ["it is no such file", "[]", "it is no file of checksums"],
    ["it is cut", text.slice(0, -20), "it is no JSON"],
    ["it has more than it should", text.replace('{"bucket"', '{"a":1,"bucket"'), "it is no file of checksums"],
  ])("is refused where %s", (_, edited, why) => {
    expect(edited).not.toBe(text);
    expect(() => parseChecksums(edited, "graph", "sums.json")).toThrow("Cannot verify against sums.json: ");
    expect(() => parseChecksums(edited, "graph", "sums.json")).toThrow(why);
  });

  test("is refused where it is of another domain", () => {
    expect(() => parseChecksums(text, "person", "sums.json")).toThrow("it is of domain graph, not of person");
  });
});
