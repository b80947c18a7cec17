import { hash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { UsageError } from "@cim-replay/core";
import { bucketFacts, connectNats, ensureBucket, type NatsClient } from "@cim-replay/nats";
import { startNats, uniqueName } from "@cim-replay/testkit";
import { Header } from "tar";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { fill, type Piece, piecesOf, sourceOf, tarOf, withManifest, writeSealed } from "./archives.fixture.ts";
import { backupProjections } from "./backup-projections.ts";
import { packingOf } from "./compression.ts";
import { openArchive } from "./read-archive.ts";
import { restoreArchive } from "./restore.ts";
import type { ArchiveLimits } from "./tar-read.ts";
import { TAR_END } from "./tar-write.ts";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let folder: string;
let whole: Buffer;
let pieces: Piece[];

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
  folder = mkdtempSync(join(tmpdir(), "cim-replay-bad-archives-"));
  const bucket = uniqueName("BUCKET");
  await ensureBucket(client, bucket);
  await fill(
    client,
    bucket,
    Array.from({ length: 60 }, (_, i) => ({ key: `shop.a${i}`, value: `{"n":${i},"z":"${"0".repeat(400)}"}` })),
  );
  const output = join(folder, "whole.tar.gz");
  await backupProjections(client, {
    ...{ domains: [sourceOf("shop")], bucket, output, toolVersion: "0.0.0", chunkBytes: 10_000 },
  });
  whole = readFileSync(output);
  pieces = piecesOf(whole);
});
afterAll(async () => {
  await client.close();
  await nats.stop();
  rmSync(folder, { recursive: true });
});

const untouched = uniqueName("UNTOUCHED");
afterEach(async () => {
  expect(await bucketFacts(client, untouched)).toBeNull();
});

const bad = () => join(folder, "bad.tar.gz");

/** Restores, into a bucket that must never come to be. */
async function open(path: string, limits?: ArchiveLimits, bucket = untouched): Promise<number> {
  await using archive = await openArchive(path, limits);
  const signal = new AbortController().signal;
  return (await restoreArchive(client, { archive, bucket, dryRun: false, signal })).verified;
}

function written(bytes: Uint8Array): string {
  writeFileSync(bad(), bytes);
  return bad();
}

const sealed = (changed: readonly Piece[]) => writeSealed(bad(), tarOf(changed));
const same = (manifest: Record<string, unknown>) => manifest;
const keepMembers = ({ members, entries }: Record<string, unknown>) => ({ members, entries });
const first = () => pieces[0] ?? { path: "", body: Buffer.alloc(0) };

/** An archive whose first member has another header. */
function withHeader(fields: ConstructorParameters<typeof Header>[0] & object): string {
  const header = new Header({ ...{ size: 0, mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) }, ...fields });
  const block = Buffer.alloc(512);
  header.encode(block);
  return writeSealed(bad(), Buffer.concat([block, tarOf(pieces)]));
}

describe("an archive", () => {
  test("that is packed and sealed again is the same one, so that what follows is refused for its own reason", async () => {
    expect(pieces.length).toBeGreaterThan(3);
    const target = uniqueName("BUCKET");
    expect(await open(sealed(pieces), undefined, target)).toBe(60);
    expect(await open(sealed(withManifest(pieces, () => ({}))), undefined, target)).toBe(60);
  });

  test("is refused after any of 200 flipped bits", async () => {
    let seed = 20_260_131;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    for (let i = 0; i < 200; i++) {
      const flipped = Buffer.from(whole);
      const at = random(whole.length);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << random(8));
      await expect(open(written(flipped)), `byte ${at}`).rejects.toThrow(/^Cannot use archive .*(seal|no archive)/);
    }
  });

  test("is refused wherever it is cut, with anything behind it, and without a seal", async () => {
    for (const length of [0, 1, 100, 200, whole.length >> 1, whole.length - 1]) {
      await expect(open(written(whole.subarray(0, length))), `${length} bytes`).rejects.toThrow(/Cannot use archive/);
    }
    await expect(open(written(Buffer.concat([whole, Buffer.alloc(1)])))).rejects.toThrow(/its seal/);
    await expect(open(written(gzipSync(tarOf(pieces))))).rejects.toThrow(/its seal/);
    await expect(open(written(Buffer.alloc(1_000)))).rejects.toThrow(/no archive/);
    await expect(open(join(folder, "none"))).rejects.toThrow(UsageError);
    await expect(open(folder)).rejects.toThrow(UsageError);
  });

  test("is refused where a tar was cut between members or in one, or goes on behind its end", async () => {
    const tar = tarOf(pieces);
    const cut = tarOf(pieces.slice(0, 2)).subarray(0, -TAR_END.length);
    await expect(open(writeSealed(bad(), cut))).rejects.toThrow(/ends in the middle/);
    await expect(open(writeSealed(bad(), tar.subarray(0, 700)))).rejects.toThrow(/ends in the middle/);
    await expect(open(writeSealed(bad(), Buffer.concat([tar, tar])))).rejects.toThrow(/something follows its end/);
    const half = Buffer.concat([tar.subarray(0, -512), Buffer.alloc(512, 1)]);
    await expect(open(writeSealed(bad(), half))).rejects.toThrow(/its end is damaged/);
    await expect(open(sealed(pieces.slice(0, -1)))).rejects.toThrow(/no manifest/);
  });

  test("is refused where its compressed data is broken, though its seal fits", async () => {
    const body = gzipSync(tarOf(pieces));
    // A block of a kind that there is not, right behind the head.
    body[10] = 0b111;
    await expect(open(written(Buffer.concat([body, packingOf("gzip").seal(hash("sha256", body))])))).rejects.toThrow(
      /broken/,
    );
  });

  test("is refused where a member is missing, added, twice there, changed, or out of order", async () => {
    await expect(open(sealed(pieces.filter((_, i) => i !== 1)))).rejects.toThrow(/out of order/);
    await expect(open(sealed(pieces.filter((_, i) => i !== pieces.length - 2)))).rejects.toThrow(/is missing/);
    await expect(open(sealed(withManifest(pieces.slice(1), () => ({}))))).rejects.toThrow(/out of order/);
    await expect(open(sealed([first(), ...pieces]))).rejects.toThrow(/out of order|is there twice/);
    const added = { path: "events/000001.jsonl", body: Buffer.alloc(0) };
    await expect(open(sealed([...pieces.slice(0, -1), added, ...pieces.slice(-1)]))).rejects.toThrow(
      /not in the manifest/,
    );
    await expect(open(sealed([...pieces, added]))).rejects.toThrow(/behind the manifest/);
    const changed = {
      path: first().path,
      body: Buffer.from(first().body.toString("utf8").replace('n\\":1,', 'n\\":2,')),
    };
    expect(changed.body.equals(first().body)).toBe(false);
    await expect(open(sealed([changed, ...pieces.slice(1)]))).rejects.toThrow(/not the one that the manifest/);
    await expect(open(sealed(withManifest([changed, ...pieces.slice(1)], keepMembers)))).rejects.toThrow(/not the one/);
  });

  test("is refused where a member leads elsewhere or is no plain file", async () => {
    for (const path of ["../manifest.json", "entries/../../x", "/etc/passwd"]) {
      await expect(open(withHeader({ path, type: "File" })), path).rejects.toThrow(/leads out of the archive/);
    }
    for (const type of ["SymbolicLink", "Link", "CharacterDevice", "BlockDevice", "FIFO", "Directory"] as const) {
      const linkpath = type.endsWith("Link") ? "/etc/passwd" : "";
      const path = withHeader({ path: "entries/000001.jsonl", type, linkpath });
      await expect(open(path), type).rejects.toThrow(`is no file but ${type}`);
    }
    for (const type of ["ExtendedHeader", "GlobalExtendedHeader", "NextFileHasLongPath"] as const) {
      await expect(open(withHeader({ path: "x", type })), type).rejects.toThrow(/is no file/);
    }
    await expect(open(withHeader({ path: "entries/1.jsonl", type: "File" }))).rejects.toThrow(
      /none that an archive has/,
    );
    const setuid = withHeader({ path: "entries/000001.jsonl", type: "File", mode: 0o4755 });
    await expect(open(setuid)).rejects.toThrow(/not as it is written/);
  });

  test("is refused where it unpacks to too much, before it is unpacked", async () => {
    const bomb = withHeader({ path: "entries/000001.jsonl", type: "File", size: 4 * 1024 ** 3 });
    await expect(open(bomb)).rejects.toThrow(/is of 4\.0 GiB, the most is 256 MiB/);
    const zeros = writeSealed(bad(), tarOf([{ path: "entries/000001.jsonl", body: Buffer.alloc(3_000_000) }]));
    const limits = { memberBytes: 10_000_000, totalBytes: 1_000_000 };
    await expect(open(zeros, limits)).rejects.toThrow(/unpacks to more than 977 KiB/);
  });

  test("is refused where it is of a newer version, of another kind, or of another domain than its entries", async () => {
    const change = (fields: object) => open(sealed(withManifest(pieces, () => fields)));
    await expect(change({ version: 2, new_field: 1 })).rejects.toThrow(/version 2, this tool reads version 1/);
    await expect(change({ format: "other" })).rejects.toThrow(/its manifest is none \(format/);
    await expect(change({ added: 1 })).rejects.toThrow(/its manifest is none/);
    await expect(change({ entries: 59 })).rejects.toThrow(/counts are not the sums/);
    const settings = sourceOf("x").settings;
    await expect(change({ domains: [{ name: "sho", settings, stream: null }] })).rejects.toThrow(/of another domain/);
    const twice = { name: "shop", settings, stream: null };
    await expect(change({ domains: [twice, twice] })).rejects.toThrow(/names a domain twice/);
    await expect(change({ kind: "aggregate" })).rejects.toThrow(/which aggregate/);
    await expect(change({ kind: "aggregate", aggregate_id: "a1" })).rejects.toThrow(/of another domain/);
    const broken = pieces.map((piece) =>
      piece.path === "manifest.json" ? { ...piece, body: Buffer.from("{") } : piece,
    );
    await expect(open(sealed(broken))).rejects.toThrow(/no JSON/);
  });

  test("is refused where a record would forge a subject or a header, or its key is there twice", async () => {
    const line = first().body.toString("utf8").split("\n")[0] ?? "";
    const record = JSON.parse(line);
    const forge = (lines: readonly string[], end = "\n") => {
      const body = Buffer.from(lines.join("\n") + end);
      return open(sealed(withManifest([{ path: first().path, body }, ...pieces.slice(1)], same)));
    };
    for (const key of ["shop.>", "shop.a b", "shop.a\r\nPUB x 0", "shop.", ".shop", "shop..a", ""]) {
      await expect(forge([JSON.stringify({ ...record, key })]), key).rejects.toThrow(/no key of an entry/);
    }
    const provenance = { ...record.provenance, sha256: "x\r\nNats-Rollup: all" };
    await expect(forge([JSON.stringify({ ...record, provenance })])).rejects.toThrow(/no header value/);
    await expect(forge([line, line])).rejects.toThrow(/is there twice/);
    await expect(forge([line], "")).rejects.toThrow(/is cut off/);
    await expect(forge([""])).rejects.toThrow(/line 1 .* is no record/);
    await expect(forge(["{}"])).rejects.toThrow(/line 1 of entries\/000001\.jsonl is no record/);
  });
});
