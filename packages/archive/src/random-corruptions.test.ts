import { hash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { ReplayError } from "@cim-replay/core";
import { connectNats, ensureBucket } from "@cim-replay/nats";
import { startNats, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fill, type Piece, sourceOf, tarOf, tarPieces } from "./archives.fixture.ts";
import { backupEvents } from "./backup-events.ts";
import { backupProjections } from "./backup-projections.ts";
import { COMPRESSIONS, type Compression, packingOf } from "./compression.ts";
import { openEventsArchive } from "./events-archive.ts";
import { openArchive } from "./read-archive.ts";

const CORRUPTIONS = 1_000;
const CHUNK_BYTES = 6_000;

/** One sound archive, what it unpacks to, and how it is opened: no server is known there that could be written to. */
interface Sample {
  readonly what: string;
  readonly compression: Compression;
  readonly whole: Buffer;
  readonly pieces: readonly Piece[];
  open(path: string): Promise<AsyncDisposable>;
}

const samples: Sample[] = [];
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "cim-replay-corruptions-"));
  const nats = await startNats();
  const client = await connectNats({ url: nats.url, name: "test" });
  const bucket = uniqueName("BUCKET");
  const stream = uniqueName("STREAM");
  await ensureBucket(client, bucket);
  await client.jsm.streams.add({ name: stream, subjects: [`${stream}.>`] });
  for (let i = 0; i < 80; i++) await client.js.publish(`${stream}.shop.a${i}`, `{"n":${i},"z":"${"0".repeat(200)}"}`);
  const entries = Array.from({ length: 80 }, (_, i) => ({
    key: `shop.a${i}`,
    value: `{"n":${i},"z":"${"0".repeat(200)}"}`,
  }));
  await fill(client, bucket, entries);
  const common = { toolVersion: "0.0.0", chunkBytes: CHUNK_BYTES };
  for (const compression of COMPRESSIONS) {
    const output = join(folder, `${compression}.archive`);
    await backupProjections(client, { domains: [sourceOf("shop")], bucket, output, compression, ...common });
    addSample("entries", compression, output, openArchive);
    const range = { fromSeq: null, toSeq: null, since: null, signal: new AbortController().signal };
    await backupEvents(client, { stream, domain: null, ...range, output, compression, ...common });
    addSample("events", compression, output, openEventsArchive);
  }
  await client.close();
  await nats.stop();
});
afterAll(() => rmSync(folder, { recursive: true }));

function addSample(what: string, compression: Compression, path: string, open: Sample["open"]): void {
  const whole = readFileSync(path);
  const body = whole.subarray(0, whole.length - packingOf(compression).sealBytes);
  samples.push({ what, compression, whole, pieces: tarPieces(UNPACK[compression](body)), open });
}

const UNPACK = { gzip: gunzipSync, zstd: zstdDecompressSync, none: (bytes: Buffer) => bytes } as const;
const PACK = { gzip: gzipSync, zstd: zstdCompressSync, none: (bytes: Buffer) => bytes } as const;

type Random = (below: number) => number;

function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Of the file as it lies on a disk. */
const DAMAGES: readonly ((whole: Buffer, random: Random) => Buffer)[] = [
  function flipABit(whole, random) {
    const bytes = Buffer.from(whole);
    const at = random(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    return bytes;
  },
  function cutOff(whole, random) {
    return whole.subarray(0, random(whole.length));
  },
  function loseAPiece(whole, random) {
    const at = random(whole.length - 1);
    return Buffer.concat([whole.subarray(0, at), whole.subarray(at + 1 + random(600))]);
  },
  function repeatAPiece(whole, random) {
    const at = random(whole.length - 1);
    const to = Math.min(whole.length, at + 1 + random(600));
    return Buffer.concat([whole.subarray(0, to), whole.subarray(at)]);
  },
  function addBytes(whole, random) {
    const at = random(whole.length + 1);
    return Buffer.concat([whole.subarray(0, at), Buffer.alloc(1 + random(600), random(256)), whole.subarray(at)]);
  },
  function overwrite(whole, random) {
    const bytes = Buffer.from(whole);
    const at = random(bytes.length);
    for (let i = at; i < Math.min(bytes.length, at + 1 + random(600)); i++) bytes[i] = ~(bytes[i] ?? 0);
    return bytes;
  },
];

/** Of what is in it, packed and sealed anew, as somebody would who knows how. The manifest stays as it is. */
const FORGERIES: readonly ((pieces: readonly Piece[], random: Random) => Piece[])[] = [
  function loseAMember(pieces, random) {
    const lost = random(pieces.length);
    return pieces.filter((_, i) => i !== lost);
  },
  function repeatAMember(pieces, random) {
    const twice = pieces[random(pieces.length)];
    const at = random(pieces.length + 1);
    return twice ? [...pieces.slice(0, at), twice, ...pieces.slice(at)] : [];
  },
  function addAMember(pieces, random) {
    const paths = ["entries/000099.jsonl", "events/000099.jsonl", "../x", "/etc/x", "manifest.json", "x"];
    const added = { path: paths[random(paths.length)] ?? "", body: Buffer.from("{}\n") };
    const at = random(pieces.length + 1);
    return [...pieces.slice(0, at), added, ...pieces.slice(at)];
  },
  function changeAMember(pieces, random) {
    const changed = random(pieces.length - 1);
    return pieces.map(({ path, body }, i) => {
      if (i !== changed) return { path, body };
      const bytes = Buffer.from(body);
      const at = random(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random(7));
      return { path, body: bytes };
    });
  },
  function swapTwo(pieces, random) {
    const [a, b] = [random(pieces.length - 1), random(pieces.length - 1)];
    const swapped = a === b ? (a + 1) % (pieces.length - 1) : b;
    return pieces.map((piece, i) => {
      const source = i === a ? swapped : i === swapped ? a : i;
      return { path: piece.path, body: pieces[source]?.body ?? piece.body };
    });
  },
];

function forged({ pieces, compression }: Sample, random: Random): Buffer {
  const forge = FORGERIES[random(FORGERIES.length)];
  const body = PACK[compression](tarOf(forge?.(pieces, random) ?? []));
  return Buffer.concat([body, packingOf(compression).seal(hash("sha256", body))]);
}

test("the samples are sound, and are so when packed and sealed again", async () => {
  expect(samples).toHaveLength(2 * COMPRESSIONS.length);
  const path = join(folder, "again");
  for (const { whole, pieces, compression, open } of samples) {
    expect(pieces.length).toBeGreaterThan(3);
    writeFileSync(path, whole);
    await (await open(path))[Symbol.asyncDispose]();
    const body = PACK[compression](tarOf(pieces));
    writeFileSync(path, Buffer.concat([body, packingOf(compression).seal(hash("sha256", body))]));
    await (await open(path))[Symbol.asyncDispose]();
  }
});

test(`each of ${CORRUPTIONS} random corruptions, of every kind of archive, is refused with a reason`, async () => {
  const path = join(folder, "corrupt");
  const reasons = new Map<string, number>();
  for (let seed = 1; seed <= CORRUPTIONS; seed++) {
    const random = randomFrom(seed * 7_919);
    random(2);
    const sample = samples[seed % samples.length];
    if (!sample) throw new Error("no sample");
    const isForged = random(2) === 0;
    const damage = DAMAGES[random(DAMAGES.length)];
    const bytes = isForged ? forged(sample, random) : (damage?.(sample.whole, random) ?? sample.whole);
    if (bytes.equals(sample.whole)) continue;
    writeFileSync(path, bytes);
    const outcome = await sample.open(path).then(
      () => "accepted",
      (error: unknown) => error,
    );
    const told = `seed ${seed}, ${sample.what} as ${sample.compression}`;
    expect(outcome, told).toBeInstanceOf(ReplayError);
    const message = outcome instanceof Error ? outcome.message : "";
    expect(message, told).toMatch(/^Cannot use archive \S+: .+\. .+\.$/s);
    const reason = message.replace(/^[^:]+: /, "").replace(/[\d"].*/s, "");
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  expect([...reasons.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(CORRUPTIONS * 0.99);
  expect(reasons.size).toBeGreaterThan(8);
}, 120_000);
