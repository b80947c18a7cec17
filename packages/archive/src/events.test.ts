import { execFileSync } from "node:child_process";
import { hash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StreamMessage } from "@cim-replay/core";
import { connectNats, type NatsClient, OrderedWriter, readStream, streamFacts } from "@cim-replay/nats";
import { startNats, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sourceOf } from "./archives.fixture.ts";
import { type BackupEventsOptions, backupEvents } from "./backup-events.ts";
import { type CheckedEvents, openEventsArchive } from "./events-archive.ts";
import { originalOf } from "./origin.ts";
import { eventLine, recordOf } from "./records.ts";
import { type RestoreEventsOptions, restoreEvents } from "./restore-events.ts";
import { unfinishedStreamRestore } from "./restore-mark.ts";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let folder: string;
let stream: string;
let file: string;
const quiet = () => new AbortController().signal;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});
beforeEach(async () => {
  stream = uniqueName("EV");
  await client.jsm.streams.add({
    ...{ name: stream, subjects: [`${stream}.>`], description: "orders", max_msgs: 100_000 },
    metadata: { owner: "shop" },
  });
  folder = mkdtempSync(join(tmpdir(), "cim-replay-events-"));
  file = join(folder, "a.tar.gz");
  return () => rmSync(folder, { recursive: true });
});

/** The client library's headers, which no package but one may import: those of a stored message, emptied. */
async function headers() {
  const seed = uniqueName("SEED");
  await client.jsm.streams.add({ name: seed, subjects: [seed] });
  const writer = new OrderedWriter(client, seed, 0, "Id");
  await writer.put({ subject: seed, headers: [["Seed", "1"]], data: new Uint8Array(0) });
  await writer.flush();
  const stored = await client.jsm.streams.getMessage(seed, { seq: 1 });
  await client.jsm.streams.delete(seed);
  if (!stored) throw new Error("no message");
  for (const name of stored.header.keys()) stored.header.delete(name);
  return stored.header;
}

async function publish(count: number, from = 0): Promise<void> {
  const head = await headers();
  for (const value of ["x", "y"]) head.append("Trace", value);
  for (let i = from; i < from + count; i++) {
    head.set("Nats-Msg-Id", `id-${i}`);
    const options = i % 2 === 0 ? { headers: head } : {};
    const data = i % 7 === 0 ? Uint8Array.of(0xff, i & 0xff) : `{"n":${i},"t":"ü💥"}`;
    await client.js.publish(`${stream}.${i % 3 === 0 ? "person" : "shop"}.a${i % 5}.Moved`, data, options);
  }
}

function backup(changes: Partial<BackupEventsOptions> = {}) {
  return backupEvents(client, {
    ...{ stream, domain: null, fromSeq: null, toSeq: null, since: null, output: file, toolVersion: "0.0.0" },
    ...{ chunkBytes: 2_000, signal: quiet() },
    ...changes,
  });
}

async function restore(changes: Partial<RestoreEventsOptions> = {}, files: readonly string[] = [file]) {
  await using opened = new AsyncDisposableStack();
  const archives: CheckedEvents[] = [];
  for (const path of files) archives.push(opened.use(await openEventsArchive(path)));
  return await restoreEvents(client, {
    ...{ archives, stream: null, subjectPrefix: null, keepSubjects: false, append: false, dryRun: false },
    ...{ command: "restore-events again", signal: quiet(), ...changes },
  });
}

/** Lines of all messages, as they are or as they were in the stream that they come from. */
async function linesOf(name: string, of: (message: StreamMessage) => string | null): Promise<string[]> {
  const facts = await streamFacts(client, name);
  if (!facts) throw new Error("no stream");
  const range = { fromSeq: facts.firstSeq, toSeq: facts.lastSeq };
  const reading = { stream: name, created: facts.created, range, filterSubjects: [], signal: quiet() };
  const lines: string[] = [];
  for await (const batch of readStream(client, { ...reading, maxMessages: 500, maxBytes: 1e6, noProgressMs: 5_000 })) {
    for (const message of batch) {
      const line = of(message);
      if (line !== null) lines.push(line);
    }
  }
  return lines;
}
const asTheyAre = (name: string) => linesOf(name, (message) => eventLine(recordOf(message)));
const asTheyWere = (name: string) =>
  linesOf(name, (message) => {
    const original = originalOf(message);
    return original && eventLine(original.event);
  });

describe("a backup of events", () => {
  test("comes back under the old name with subjects, headers, payloads, sequence and time, and twice is once", async () => {
    await publish(60);
    for (const seq of [5, 6, 60]) await client.jsm.streams.deleteMessage(stream, seq);
    const { manifest, sha256 } = await backup();
    expect(manifest).toMatchObject({ events: 57, others: 0, range: { from_seq: 1, to_seq: 60 }, parent: null });
    expect(manifest.deleted).toEqual([
      [5, 6],
      [60, 60],
    ]);
    expect(manifest.members.length).toBeGreaterThan(3);
    expect(hash("sha256", readFileSync(file))).toBe(sha256);
    const before = await asTheyAre(stream);
    expect(before).toHaveLength(57);
    expect(before[0]).toMatch(
      /"received_at_ns":"\d{19}","headers":\[\["Trace","x"\],\["Trace","y"\],\["Nats-Msg-Id","id-0"\]\]/,
    );

    await client.jsm.streams.delete(stream);
    expect(await restore({ dryRun: true })).toMatchObject({ made: true, written: 57, verified: 0 });
    expect(await streamFacts(client, stream)).toBeNull();
    const first = await restore();
    expect(first).toMatchObject({ made: true, written: 57, unchanged: 0, verified: 57, renamedIds: 0, foreign: 0 });
    expect(await asTheyWere(stream)).toEqual(before);
    const { config } = await client.jsm.streams.info(stream);
    expect(config).toMatchObject({ description: "orders", max_msgs: 100_000, subjects: [`${stream}.>`] });
    expect(config.metadata).toMatchObject({ owner: "shop" });
    expect(await unfinishedStreamRestore(client, stream)).toBeNull();
    const stored = await client.jsm.streams.getMessage(stream, { seq: 1 });
    expect(stored?.header.get("Nats-Msg-Id")).toBe("id-0");
    expect(await restore()).toMatchObject({ made: false, written: 0, unchanged: 57, verified: 57 });
    expect((await streamFacts(client, stream))?.messages).toBe(57);
  });

  test("of one domain keeps that domain's messages alone", async () => {
    await publish(30);
    const settings = {
      ...sourceOf("shop", stream).settings,
      subject: `${stream}.{domain}.{aggregate_id}.{event_type}`,
    };
    const { manifest } = await backup({ domain: { name: "shop", settings } });
    expect(manifest).toMatchObject({ events: 20, others: 10, domain: { name: "shop" } });
    await client.jsm.streams.delete(stream);
    expect(await restore()).toMatchObject({ written: 20, verified: 20 });
    expect((await asTheyWere(stream)).every((line) => line.includes(`${stream}.shop.`))).toBe(true);
  });

  test.each([
    ["a.tar.zst", "zstd"],
    ["a.tar", "none"],
    ["a.tar.gz", "gzip"],
  ])("in %s is read by the usual tools as any other, and restored by its content", async (name, _compression) => {
    await publish(10);
    const output = join(folder, name);
    await backup({ output });
    if (name.endsWith(".zst")) execFileSync("zstd", ["-qt", output]);
    const packed = name.endsWith(".zst") ? "--zstd" : name.endsWith(".gz") ? "--gzip" : "--warning=all";
    const listed = execFileSync("tar", [packed, "-tf", output], { encoding: "utf8" });
    expect(listed).toBe("events/000001.jsonl\nmanifest.json\n");
    await client.jsm.streams.delete(stream);
    expect(await restore({}, [output])).toMatchObject({ verified: 10 });
  });

  test("says which sequences there are where others are asked for, and which stream where there is none", async () => {
    await publish(3);
    await expect(backup({ fromSeq: 3, toSeq: 2 })).rejects.toThrow(/it holds 1 to 3/);
    await expect(backup({ fromSeq: 9 })).rejects.toThrow(/it holds 1 to 3/);
    expect((await backup({ fromSeq: 2, toSeq: 2 })).manifest).toMatchObject({ events: 1 });
    await expect(backup({ stream: "NOWHERE" })).rejects.toThrow(/there is none/);
    expect(readdirSync(folder)).toEqual(["a.tar.gz"]);
  });
});

describe("a chain of increments", () => {
  test("is restored in order, in whatever order it is named, step by step or at once", async () => {
    const files = ["a", "b", "c"].map((name) => join(folder, `${name}.tar.zst`));
    let since: CheckedEvents | null = null;
    for (const [i, output] of files.entries()) {
      if (i < 2) await publish(20, i * 20);
      const { manifest } = await backup({ output, since });
      expect(manifest.parent?.sha256 ?? null).toBe(since?.sha256 ?? null);
      expect(manifest.events).toBe(i < 2 ? 20 : 0);
      await since?.[Symbol.asyncDispose]();
      since = await openEventsArchive(output);
    }
    await since?.[Symbol.asyncDispose]();
    const before = await asTheyAre(stream);
    await client.jsm.streams.delete(stream);
    const [a = "", b = "", c = ""] = files;
    await expect(restore({}, [b])).rejects.toThrow(/Name that one too/);
    await expect(restore({}, [a, c])).rejects.toThrow(/Name one chain, whole/);
    await expect(restore({}, [a, a])).rejects.toThrow(/Name one chain, whole/);
    expect(await streamFacts(client, stream)).toBeNull();
    expect(await restore({}, [a])).toMatchObject({ written: 20 });
    expect(await restore({}, [c, b, a])).toMatchObject({ written: 20, unchanged: 20, verified: 40 });
    expect(await asTheyWere(stream)).toEqual(before);
  });

  test("goes on only from an archive of the very same stream and domain", async () => {
    await publish(5);
    await backup();
    await using since = await openEventsArchive(file);
    const output = join(folder, "b.tar.gz");
    const settings = sourceOf("shop", stream).settings;
    await expect(backup({ output, since, domain: { name: "shop", settings } })).rejects.toThrow(/of all domains, not/);
    await client.jsm.streams.delete(stream);
    await client.jsm.streams.add({ name: stream, subjects: [`${stream}.>`] });
    await publish(9);
    await expect(backup({ output, since })).rejects.toThrow(/they are two/);
    expect(readdirSync(folder)).toEqual(["a.tar.gz"]);
  });
});

describe("a restore of events beside the live stream", () => {
  test("is refused under the same subjects, and goes under others, or under the same by a transform", async () => {
    await publish(12);
    await backup();
    const before = await asTheyAre(stream);
    await expect(restore()).rejects.toThrow(/is the stream that the archive is of/);
    const other = uniqueName("COPY");
    await expect(restore({ stream: other })).rejects.toThrow(/--keep-subjects .* or --subject-prefix/);
    expect(await streamFacts(client, other)).toBeNull();

    expect(await restore({ stream: other, subjectPrefix: "copy" })).toMatchObject({ made: true, verified: 12 });
    expect(await asTheyWere(other)).toEqual(before);
    expect((await client.jsm.streams.getMessage(other, { seq: 1 }))?.subject).toBe(`copy.${stream}.person.a0.Moved`);

    const kept = uniqueName("KEPT");
    expect(await restore({ stream: kept, keepSubjects: true })).toMatchObject({ made: true, verified: 12 });
    expect(await asTheyWere(kept)).toEqual(before);
    expect((await client.jsm.streams.getMessage(kept, { seq: 1 }))?.subject).toBe(`${stream}.person.a0.Moved`);
    // Without being told again.
    expect(await restore({ stream: kept })).toMatchObject({ made: false, written: 0, verified: 12 });
    expect((await streamFacts(client, stream))?.messages).toBe(12);
  });

  test("goes into the very stream where that was purged, and behind others only where that is meant", async () => {
    await publish(6);
    await backup();
    const before = await asTheyAre(stream);
    await client.jsm.streams.purge(stream);
    expect(await restore()).toMatchObject({ made: false, written: 6, verified: 6 });
    expect(await asTheyWere(stream)).toEqual(before);

    const other = uniqueName("OTHER");
    await client.jsm.streams.add({ name: other, subjects: ["p.>"] });
    await client.js.publish("p.x", "{}");
    await expect(restore({ stream: other, subjectPrefix: "p" })).rejects.toThrow(/1 messages of others/);
    await expect(restore({ stream: other, append: true })).rejects.toThrow(/does not take subject/);
    expect(await restore({ stream: other, subjectPrefix: "p", append: true })).toMatchObject({
      foreign: 1,
      verified: 6,
    });
  });
});

describe("what a server acts on in a message", () => {
  test("does not act again: repeated ids are stored twice, conditions and rollups do nothing", async () => {
    await client.jsm.streams.update(stream, { duplicate_window: 100_000_000, allow_rollup_hdrs: true });
    const head = await headers();
    head.set("Nats-Msg-Id", "same");
    head.set("Nats-Expected-Stream", stream);
    const rollup = await headers();
    rollup.set("Nats-Rollup", "sub");
    rollup.set("Nats-Expected-Last-Subject-Sequence", "0");
    for (let i = 0; i < 3; i++) {
      expect((await client.js.publish(`${stream}.shop.a`, `${i}`, { headers: head })).duplicate).toBe(false);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    await client.js.publish(`${stream}.shop.r`, "rolled", { headers: rollup });
    await client.jsm.streams.update(stream, { duplicate_window: 120_000_000_000 });
    await backup();
    const before = await asTheyAre(stream);
    await client.jsm.streams.delete(stream);
    expect(await restore()).toMatchObject({ written: 4, renamedIds: 2, verified: 4 });
    expect(await asTheyWere(stream)).toEqual(before);
    expect((await client.jsm.streams.getMessage(stream, { seq: 1 }))?.header.get("Nats-Msg-Id")).toBe("same");

    // The server remembers ids that this process has not sent.
    await client.jsm.streams.purge(stream);
    expect(await restore()).toMatchObject({ written: 4, verified: 4 });
    expect(await asTheyWere(stream)).toEqual(before);
  });

  test("does not matter the second time either: a restored stream is backed up and restored with its own origin", async () => {
    await publish(4);
    await backup();
    const other = uniqueName("ONE");
    await restore({ stream: other, subjectPrefix: "one" });
    const before = await asTheyAre(other);
    const second = join(folder, "second.tar");
    await backup({ stream: other, output: second });
    const third = uniqueName("TWO");
    await restore({ stream: third, subjectPrefix: "two" }, [second]);
    expect(await asTheyWere(third)).toEqual(before);
  });
});

describe("a restore of events that does not come to its end", () => {
  test("says so in the stream, and goes on where it was", async () => {
    await publish(100);
    await backup({ chunkBytes: 1_000 });
    const before = await asTheyAre(stream);
    const other = uniqueName("HALF");
    const wishes = { stream: other, keepSubjects: true };
    const stop = new AbortController();
    const onProgress = (stage: string, events: number) => void (stage === "written" && events > 40 && stop.abort());
    await expect(restore({ ...wishes, signal: stop.signal, onProgress })).rejects.toThrow("was aborted");
    const half = (await streamFacts(client, other))?.messages ?? 0;
    expect(half).toBeGreaterThan(40);
    expect(half).toBeLessThan(100);
    // What replays of the stream warn of.
    expect((await streamFacts(client, other))?.unfinishedRestore).toBe("restore-events again");
    expect(await restore(wishes)).toMatchObject({ unchanged: half, written: 100 - half, verified: 100 });
    expect(await asTheyWere(other)).toEqual(before);
    expect(await unfinishedStreamRestore(client, other)).toBeNull();
  });

  test("is refused where what is there was changed or deleted meanwhile, and stores nothing more", async () => {
    await publish(20);
    await backup();
    const other = uniqueName("TORN");
    await restore({ stream: other, keepSubjects: true });
    await client.jsm.streams.deleteMessage(other, 7);
    await expect(restore({ stream: other })).rejects.toThrow(/where sequence 7 .* holds what is said to be sequence 8/);
    expect((await streamFacts(client, other))?.messages).toBe(19);
  });

  test("fails where somebody else writes to the stream meanwhile, and never calls it restored", async () => {
    await publish(50);
    await backup({ chunkBytes: 500 });
    const other = uniqueName("RIVAL");
    const ingest = `_CIM_REPLAY.restore.${other}.x`;
    let told = false;
    const onProgress = (stage: string) => {
      if (stage === "written" && !told) client.nc.publish(ingest, "theirs");
      told ||= stage === "written";
    };
    await expect(restore({ stream: other, keepSubjects: true, onProgress })).rejects.toThrow(
      /somebody else has written/,
    );
    await expect(restore({ stream: other, append: true })).rejects.toThrow(/Cannot call stream .* restored/);
    expect(await unfinishedStreamRestore(client, other)).toBe("restore-events again");
  });
});
