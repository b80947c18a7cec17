import { hash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openArchive, openEventsArchive, unfinishedRestore, unfinishedStreamRestore } from "@cim-replay/archive";
import { connectNats, EntryWriter, ensureBucket, type NatsClient, publishAll, readEntries } from "@cim-replay/nats";
import { readAllMessages, startNats } from "@cim-replay/testkit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ReplayProcess } from "../support/replay-process.ts";
import { seededRandom } from "../support/seeded-random.ts";

const KILLS = 17;
const ENTRIES = 2_500;
const EVENTS = 4_000;
const BUCKET = "KEPT";
const STREAM = "KEPT_EVENTS";
const COPY = "COPY";

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let folder: string;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
  folder = mkdtempSync(join(tmpdir(), "cim-replay-archives-killed-"));
  await fill("new", (i) => `shop.a${i}`);
  await client.jsm.streams.add({ name: STREAM, subjects: ["kept.>"] });
  const messages = Array.from({ length: EVENTS }, (_, i) => ({
    subject: `kept.shop.a${i % 99}.Moved`,
    data: Buffer.from(`{"n":${i},"z":"${"0".repeat(300)}"}`),
  }));
  await publishAll(client, { stream: STREAM, messages });
});
afterAll(async () => {
  await client.close();
  await nats.stop();
  rmSync(folder, { recursive: true });
});

/** A bucket of these entries and no others. */
async function fill(value: string, keyOf: (i: number) => string): Promise<void> {
  await client.jsm.streams.delete(`KV_${BUCKET}`).catch(() => false);
  await ensureBucket(client, BUCKET);
  const writer = new EntryWriter(client, BUCKET);
  for (let i = 0; i < ENTRIES; i++) {
    const bytes = `{"v":"${value}","n":${i},"z":"${"0".repeat(400)}"}`;
    await writer.put(keyOf(i), bytes, { run: "r", epoch: 1, lastSeq: i, events: 1, sha256: hash("sha256", bytes) }, 0);
  }
  await writer.flush();
}

function start(line: string): ReplayProcess {
  const [tool = "", ...args] = line.split(" ");
  return new ReplayProcess(tool, args, { cwd: folder, env: { PATH: process.env.PATH ?? "", NATS_URL: nats.url } });
}

/** Milliseconds that it took. */
async function finish(line: string): Promise<number> {
  const began = performance.now();
  const run = start(line);
  expect(await run.exited, run.said).toBe(0);
  return performance.now() - began;
}

/** Kills it after a part of the time that it would take. */
async function killed(line: string, afterMs: number): Promise<void> {
  const run = start(line);
  await sleep(afterMs);
  run.kill("SIGKILL");
  await run.exited;
}

/** Kills it a while after it has begun to write to a stream; time alone seldom hits that on a busy machine. */
async function killedWriting(line: string, stream: string, afterMs: number): Promise<void> {
  const lastSeq = () =>
    client.jsm.streams.info(stream).then(
      ({ state }) => state.last_seq,
      () => 0,
    );
  const before = await lastSeq();
  const run = start(line);
  while (run.isRunning && (await lastSeq()) === before) await sleep(1);
  await sleep(afterMs);
  run.kill("SIGKILL");
  await run.exited;
}

async function bucketText(): Promise<string> {
  const lines: string[] = [];
  for await (const batch of readEntries(client, BUCKET, ">")) {
    for (const { key, value } of batch) lines.push(`${key} ${Buffer.from(value)}`);
  }
  return lines.sort().join("\n");
}

async function streamText(name: string): Promise<string> {
  const lines: string[] = [];
  for await (const { subject, data } of readAllMessages(client, name)) lines.push(`${subject} ${Buffer.from(data)}`);
  return lines.join("\n");
}

const backups = [
  {
    line: `backup-projections --domain shop --target ${BUCKET} --output entries.tar.gz`,
    file: "entries.tar.gz",
    open: openArchive,
  },
  { line: `backup-events --stream ${STREAM} --output events.tar.zst`, file: "events.tar.zst", open: openEventsArchive },
] as const;

it(`kill -9 of a backup, ${KILLS} times, leaves the old archive or the new one, and nothing else that is taken for one`, async () => {
  const random = seededRandom(31);
  const outcomes = { old: 0, new: 0, leftovers: 0 };
  const tookMs = [await finish(backups[0].line), await finish(backups[1].line)];
  for (let i = 0; i < KILLS; i++) {
    const { line, file, open } = backups[i % 2 === 0 ? 0 : 1];
    const path = join(folder, file);
    const before = hash("sha256", readFileSync(path));
    await killed(line, random() * 1.1 * (tookMs[i % 2] ?? 0));
    const isOld = hash("sha256", readFileSync(path)) === before;
    outcomes[isOld ? "old" : "new"] += 1;
    await (await open(path))[Symbol.asyncDispose]();
    for (const name of readdirSync(folder).filter((other) => other.startsWith(`${file}.`))) {
      expect(name).toMatch(/\.new$/);
      // Between its fsync and its rename it is a whole archive under a name that is none; before, it is refused.
      const whole = await open(join(folder, name)).catch((error: Error) => error.message);
      if (typeof whole === "string") expect(whole).toMatch(/^Cannot use archive/);
      else await whole[Symbol.asyncDispose]();
      rmSync(join(folder, name));
      outcomes.leftovers += 1;
    }
  }
  expect(outcomes.old, JSON.stringify(outcomes)).toBeGreaterThan(0);
  expect(outcomes.leftovers, JSON.stringify(outcomes)).toBeGreaterThan(0);
}, 1_200_000);

it(`kill -9 of a restore of entries, ${KILLS} times, leaves the old state or the new, or a word in the bucket of how to end it`, async () => {
  await fill("new", (i) => `shop.a${i}`);
  await finish(backups[0].line);
  const wanted = await bucketText();
  const random = seededRandom(32);
  const line = `restore-projections --backup entries.tar.gz --target ${BUCKET}`;
  // Half of the keys have other bytes, and half are none of the archive's.
  const spoil = () => fill("old", (i) => (i % 2 === 0 ? `shop.a${i}` : `shop.extra${i}`));
  await spoil();
  const old = await bucketText();
  const tookMs = await finish(line);
  const outcomes = { old: 0, new: 0, between: 0 };
  for (let i = 0; i < KILLS; i++) {
    await spoil();
    if (i % 2 === 0) await killed(line, (0.2 + random() * 0.85) * tookMs);
    else await killedWriting(line, `KV_${BUCKET}`, random() * 40);
    await sleep(30);
    const [now, command] = [await bucketText(), await unfinishedRestore(client, BUCKET)];
    const state = now === old ? "old" : now === wanted ? "new" : "between";
    outcomes[state] += 1;
    if (state === "between") expect(command, `kill ${i}`).not.toBeNull();
    if (command !== null) await finish(command);
    if (command !== null || state === "new") expect(await bucketText()).toBe(wanted);
    expect(await unfinishedRestore(client, BUCKET)).toBeNull();
  }
  expect(outcomes.between, JSON.stringify(outcomes)).toBeGreaterThan(0);
}, 1_200_000);

it(`kill -9 of a restore of events, ${KILLS} times, and going on each time, stores each event once and in order`, async () => {
  await finish(backups[1].line);
  const wanted = await streamText(STREAM);
  const random = seededRandom(33);
  const line = `restore-events --backup events.tar.zst --stream ${COPY} --keep-subjects`;
  const tookMs = await finish(line);
  const outcomes = { none: 0, whole: 0, between: 0 };
  for (let i = 0; i < KILLS; i++) {
    await client.jsm.streams.delete(COPY).catch(() => false);
    if (i % 2 === 0) await killed(line, (0.2 + random() * 0.85) * tookMs);
    else await killedWriting(line, COPY, random() * 40);
    // Now and then the one that goes on is killed as well.
    if (i % 5 === 0) await killed(line, (0.2 + random() * 0.85) * tookMs);
    await sleep(30);
    const exists = await client.jsm.streams.info(COPY).then(
      () => true,
      () => false,
    );
    const command = await unfinishedStreamRestore(client, COPY);
    const now = exists ? await streamText(COPY) : null;
    const state = now === null ? "none" : now === wanted ? "whole" : "between";
    outcomes[state] += 1;
    if (state === "between") {
      expect(command, `kill ${i}`).not.toBeNull();
      expect(wanted.startsWith(now ?? ""), "a first part, in order").toBe(true);
    }
    if (command !== null) await finish(command);
    if (exists) expect(await streamText(COPY)).toBe(wanted);
    expect(await unfinishedStreamRestore(client, COPY)).toBeNull();
  }
  expect(outcomes.between, JSON.stringify(outcomes)).toBeGreaterThan(0);
}, 1_200_000);
