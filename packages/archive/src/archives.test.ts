import { execFileSync } from "node:child_process";
import { hash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNats, deleteEntry, EntryWriter, ensureBucket, getEntry, type NatsClient } from "@cim-replay/nats";
import { startNats, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { contentOf, fill, piecesOf, sourceOf } from "./archives.fixture.ts";
import { backupAggregate } from "./backup-aggregate.ts";
import { backupProjections } from "./backup-projections.ts";
import { openArchive } from "./read-archive.ts";
import { restoreArchive } from "./restore.ts";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let folder: string;
let bucket: string;
let file: string;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});
beforeEach(async () => {
  bucket = uniqueName("BUCKET");
  await ensureBucket(client, bucket);
  folder = mkdtempSync(join(tmpdir(), "cim-replay-archives-"));
  file = join(folder, "a.tar.gz");
  return () => rmSync(folder, { recursive: true });
});

const shop = Array.from({ length: 500 }, (_, i) => ({ key: `shop.a${i}`, value: `{"n":${i},"t":"ü💥"}` }));
const odd = [
  { key: "shop.=2E=C3=BC", value: "\uFEFF{}\r\n\u0000\u2028" },
  { key: "shop.bytes", value: Uint8Array.of(0xff, 0xfe, 0, 1) },
  { key: "shop.empty", value: "" },
];

function backup(names: readonly string[], chunkBytes = 20_000, output = file) {
  const domains = names.map((name) => sourceOf(name));
  return backupProjections(client, { domains, bucket, output, toolVersion: "0.0.0", chunkBytes });
}

async function restore(
  into: string,
  options: { dryRun?: boolean; signal?: AbortSignal; onProgress?: () => void } = {},
) {
  await using archive = await openArchive(file);
  const signal = new AbortController().signal;
  return await restoreArchive(client, { archive, bucket: into, dryRun: false, signal, ...options });
}

/** Until the test's end the connection lets some puts of entries go nowhere, by the first line of their frames. */
function losing(isLost: (line: string) => boolean): { lost(): number } {
  const { protocol } = client.nc as unknown as { protocol: { sendCommand(...parts: Uint8Array[]): void } };
  const send = protocol.sendCommand.bind(protocol);
  let lost = 0;
  protocol.sendCommand = (...parts) => {
    const line = Buffer.from(parts[0] ?? []).toString("latin1");
    if (line.startsWith("HPUB $KV.") && isLost(line)) lost += 1;
    else send(...parts);
  };
  onTestFinished(() => {
    protocol.sendCommand = send;
  });
  return { lost: () => lost };
}

async function plain(into: string, key: string, value: string): Promise<number> {
  return (await client.js.publish(`$KV.${into}.${key}`, value)).seq;
}

describe("a backup of projections", () => {
  test("comes back with the same bytes and provenance, whatever the values hold, into a bucket that it makes", async () => {
    await fill(client, bucket, [...shop, ...odd, { key: "person.p", value: "{}" }, { key: "other.o", value: "{}" }]);
    await plain(bucket, "shop.foreign", "by hand");
    const { manifest, bytes, sha256 } = await backup(["shop", "person"]);
    expect(manifest).toMatchObject({ kind: "projections", entries: 505, events: 0, bucket: { name: bucket } });
    expect(manifest.members.length).toBeGreaterThan(3);
    expect(readdirSync(folder)).toEqual(["a.tar.gz"]);
    expect(readFileSync(file).length).toBe(bytes);
    expect(hash("sha256", readFileSync(file))).toBe(sha256);

    const target = uniqueName("BUCKET");
    expect(await restore(target)).toEqual({ written: 505, unchanged: 0, removed: 0, verified: 505 });
    await deleteEntry(client, bucket, "other.o", (await getEntry(client, bucket, "other.o"))?.revision ?? 0);
    expect(await contentOf(client, target)).toEqual(await contentOf(client, bucket));
  });

  test("is read by gzip and tar as any other", async () => {
    await fill(client, bucket, shop.slice(0, 3));
    await backup(["shop"]);
    execFileSync("gzip", ["-t", file]);
    const listed = execFileSync("tar", ["-tzf", file], { encoding: "utf8" });
    expect(listed).toBe("entries/000001.jsonl\nmanifest.json\n");
  });

  test("of a domain without entries is one that empties it", async () => {
    await backup(["shop"]);
    await fill(client, bucket, shop.slice(0, 2));
    expect(await restore(bucket)).toEqual({ written: 0, unchanged: 0, removed: 2, verified: 0 });
    expect(await contentOf(client, bucket)).toEqual([]);
  });

  test("fails and leaves no file where entries are written meanwhile", async () => {
    await fill(client, bucket, shop);
    const writing = backupProjections(client, {
      ...{ domains: [sourceOf("shop")], bucket, output: file, toolVersion: "0.0.0" },
      onProgress: () => void client.nc.publish(`$KV.${bucket}.shop.a1`, "live"),
    });
    await expect(writing).rejects.toThrow(/written while they were read/);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("fails where there is no bucket, and where the file cannot be written", async () => {
    await expect(backup(["shop"], 1, join(folder, "none", "a.tar.gz"))).rejects.toThrow(
      /Cannot write archive .*ENOENT/,
    );
    bucket = uniqueName("BUCKET");
    await expect(backup(["shop"])).rejects.toThrow(/there is none/);
  });
});

describe("a restore", () => {
  test("puts back what was changed, deleted and added, and nothing of other domains; twice changes nothing", async () => {
    await fill(client, bucket, [...shop, { key: "other.o", value: "{}" }]);
    await plain(bucket, "shop.foreign", "by hand");
    await backup(["shop"]);
    const before = await contentOf(client, bucket);
    await plain(bucket, "shop.a1", "damaged");
    await plain(bucket, "shop.foreign", "by another hand");
    await deleteEntry(client, bucket, "shop.a2", (await getEntry(client, bucket, "shop.a2"))?.revision ?? 0);
    await plain(bucket, "shop.extra", "{}");
    // The same bytes, of another run.
    const value = String(shop[3]?.value);
    const writer = new EntryWriter(client, bucket);
    const revision = (await getEntry(client, bucket, "shop.a3"))?.revision ?? 0;
    await writer.put("shop.a3", value, { run: "x", epoch: 1, lastSeq: 1, events: 1, sha256: "0" }, revision);
    await writer.flush();

    const dirty = await contentOf(client, bucket);
    expect(await restore(bucket, { dryRun: true })).toEqual({ written: 4, unchanged: 497, removed: 1, verified: 0 });
    expect(await contentOf(client, bucket)).toEqual(dirty);
    expect(await restore(bucket)).toEqual({ written: 4, unchanged: 497, removed: 1, verified: 501 });
    expect(await contentOf(client, bucket)).toEqual(before);
    const revisions = await contentRevision();
    expect(await restore(bucket)).toEqual({ written: 0, unchanged: 501, removed: 0, verified: 501 });
    expect(await contentRevision()).toBe(revisions);
  });

  test("that ended between two chunks goes on where it was", async () => {
    await fill(client, bucket, shop);
    const { manifest } = await backup(["shop"], 5_000);
    expect(manifest.members.length).toBeGreaterThan(5);
    const target = uniqueName("BUCKET");
    const killed = new AbortController();
    let chunks = 0;
    const onProgress = () => void (++chunks === 2 && killed.abort(new Error("killed")));
    await expect(restore(target, { signal: killed.signal, onProgress })).rejects.toThrow("killed");
    const half = (await contentOf(client, target)).length;
    expect(half).toBe((manifest.members[0]?.records ?? 0) + (manifest.members[1]?.records ?? 0));
    expect(await restore(target)).toEqual({ written: 500 - half, unchanged: half, removed: 0, verified: 500 });
    expect(await contentOf(client, target)).toEqual(await contentOf(client, bucket));
  });

  test("writes again what was lost on the way, where the server said of no other that it was", async () => {
    await fill(client, bucket, shop);
    await backup(["shop"]);
    const target = uniqueName("BUCKET");
    let nth = 0;
    const puts = losing(() => ++nth < 400 && nth % 7 === 3);
    expect(await restore(target)).toMatchObject({ written: 500, verified: 500 });
    expect(puts.lost()).toBeGreaterThan(40);
    expect(await contentOf(client, target)).toEqual(await contentOf(client, bucket));
  });

  test("says so where some are lost each time", async () => {
    await fill(client, bucket, shop);
    await backup(["shop"]);
    // Those without a reply subject: each pass stores only the last of them, which is asked for.
    losing((line) => /^HPUB \S+\.shop\.a(?:7|8|9|10) \d+ /.test(line));
    await expect(restore(uniqueName("BUCKET"))).rejects.toThrow(/Cannot call bucket .* restored: read back/);
  });

  test("overwrites nothing that somebody writes meanwhile", async () => {
    await fill(client, bucket, shop);
    await backup(["shop"], 5_000);
    await plain(bucket, "shop.a499", "damaged");
    let chunks = 0;
    const onProgress = () => {
      if (++chunks === 1) client.nc.publish(`$KV.${bucket}.shop.a499`, "live");
    };
    await expect(restore(bucket, { onProgress })).rejects.toThrow(/shop\.a499.*somebody wrote/);
    expect(Buffer.from((await getEntry(client, bucket, "shop.a499"))?.value ?? []).toString()).toBe("live");
  });

  test("without writing makes no bucket", async () => {
    await fill(client, bucket, shop.slice(0, 5));
    await backup(["shop"]);
    const target = uniqueName("BUCKET");
    expect(await restore(target, { dryRun: true })).toEqual({ written: 5, unchanged: 0, removed: 0, verified: 0 });
    await expect(client.jsm.streams.info(`KV_${target}`)).rejects.toThrow(/not found/);
  });
});

describe("a backup of an aggregate", () => {
  test("holds its entry and its events alone, with headers, sequence and time, and restores that entry alone", async () => {
    const stream = uniqueName("STREAM");
    await client.jsm.streams.add({ name: stream, subjects: [`${stream}.>`] });
    for (const [i, id] of ["a0", "a1", "a0"].entries()) {
      await client.js.publish(`${stream}.shop.${id}.Moved`, `{"n":${i}}`, { msgID: `c${i}` });
    }
    await client.js.publish(`${stream}.shop.a0.Moved`, Uint8Array.of(0xff));
    await fill(client, bucket, shop.slice(0, 3));
    const source = sourceOf("shop", stream);
    const domain = {
      ...source,
      settings: { ...source.settings, subject: `${stream}.{domain}.{aggregate_id}.{event_type}` },
    };
    const signal = new AbortController().signal;
    const options = { domain, bucket, output: file, toolVersion: "0.0.0", signal };
    const { manifest } = await backupAggregate(client, { ...options, aggregateId: "a0" });
    expect(manifest).toMatchObject({ kind: "aggregate", aggregate_id: "a0", entries: 1, events: 3 });
    expect(manifest.domains[0]).toMatchObject({ settings: domain.settings, stream: { name: stream, last_seq: 4 } });
    const events = piecesOf(readFileSync(file)).find(({ path }) => path.startsWith("events/"));
    const lines = String(events?.body)
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ seq, headers: own, data }) => [seq, own, data])).toEqual([
      [1, [["Nats-Msg-Id", "c0"]], { text: '{"n":0}' }],
      [3, [["Nats-Msg-Id", "c2"]], { text: '{"n":2}' }],
      [4, [], { base64: "/w==" }],
    ]);
    const stored = await client.jsm.streams.getMessage(stream, { seq: 1 });
    expect(BigInt(lines[0].received_at_ns) % 1_000_000_000n).toBe(
      BigInt(stored?.timestamp.slice(20, -1).padEnd(9, "0") ?? 0),
    );
    expect(Math.abs(Number(BigInt(lines[0].received_at_ns) / 1_000_000n) - Date.now())).toBeLessThan(60_000);

    const before = await contentOf(client, bucket);
    await plain(bucket, "shop.a0", "damaged");
    expect(await restore(bucket)).toEqual({ written: 1, unchanged: 0, removed: 0, verified: 1 });
    expect(await contentOf(client, bucket)).toEqual(before);
    const unknown = backupAggregate(client, { ...options, aggregateId: "nobody" });
    await expect(unknown).rejects.toThrow(/no entry .* and no event/);
  });
});

async function contentRevision(): Promise<number> {
  return (await client.jsm.streams.info(`KV_${bucket}`)).state.last_seq;
}
