import { hash } from "node:crypto";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openArchive, openEventsArchive, unfinishedRestore, unfinishedStreamRestore } from "@cim-replay/archive";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ArchiveStage } from "../support/archive-stage.ts";
import { seededRandom } from "../support/seeded-random.ts";

const KILLS = 17;
const ENTRIES = 2_500;
const BUCKET = "KEPT";
const STREAM = "KEPT_EVENTS";
const COPY = "COPY";

let stage: ArchiveStage;

beforeAll(async () => {
  stage = await ArchiveStage.open();
  await fill("new", (i) => `shop.a${i}`);
  await stage.fillStream(STREAM, 4_000);
});
afterAll(() => stage.close());

const fill = (value: string, keyOf: (i: number) => string) => stage.fillBucket(BUCKET, ENTRIES, value, keyOf);

const backups = [
  {
    line: `backup-projections --domain shop --target ${BUCKET} --output entries.tar.gz`,
    file: "entries.tar.gz",
    open: openArchive,
  },
  { line: `backup-events --stream ${STREAM} --output events.tar.zst`, file: "events.tar.zst", open: openEventsArchive },
] as const;

it(`kill -9 of a backup, ${KILLS} times, leaves the old archive or the new one, and nothing else that is taken for one`, async () => {
  const { folder } = stage;
  const random = seededRandom(31);
  const outcomes = { old: 0, new: 0, leftovers: 0 };
  const tookMs = [await stage.finish(backups[0].line), await stage.finish(backups[1].line)];
  for (let i = 0; i < KILLS; i++) {
    const { line, file, open } = backups[i % 2 === 0 ? 0 : 1];
    const path = join(folder, file);
    const before = hash("sha256", readFileSync(path));
    // Most of a short backup's time is the start of Node: time alone may never hit its file.
    if (i % 4 === 0) await stage.killedAtFile(line, file);
    else await stage.killed(line, random() * 1.1 * (tookMs[i % 2] ?? 0));
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
  await stage.finish(backups[0].line);
  const wanted = await stage.bucketText(BUCKET);
  const random = seededRandom(32);
  const line = `restore-projections --backup entries.tar.gz --target ${BUCKET}`;
  // Half of the keys have other bytes, and half are none of the archive's.
  const spoil = () => fill("old", (i) => (i % 2 === 0 ? `shop.a${i}` : `shop.extra${i}`));
  await spoil();
  const old = await stage.bucketText(BUCKET);
  const tookMs = await stage.finish(line);
  const outcomes = { old: 0, new: 0, between: 0 };
  for (let i = 0; i < KILLS; i++) {
    await spoil();
    if (i % 2 === 0) await stage.killed(line, (0.2 + random() * 0.85) * tookMs);
    else await stage.killedWriting(line, `KV_${BUCKET}`, random() * 40);
    await sleep(30);
    const [now, command] = [await stage.bucketText(BUCKET), await unfinishedRestore(stage.client, BUCKET)];
    const state = now === old ? "old" : now === wanted ? "new" : "between";
    outcomes[state] += 1;
    if (state === "between") expect(command, `kill ${i}`).not.toBeNull();
    if (command !== null) await stage.finish(command);
    if (command !== null || state === "new") expect(await stage.bucketText(BUCKET)).toBe(wanted);
    expect(await unfinishedRestore(stage.client, BUCKET)).toBeNull();
  }
  expect(outcomes.between, JSON.stringify(outcomes)).toBeGreaterThan(0);
}, 1_200_000);

it(`kill -9 of a restore of events, ${KILLS} times, and going on each time, stores each event once and in order`, async () => {
  const { client } = stage;
  await stage.finish(backups[1].line);
  const wanted = await stage.streamText(STREAM);
  const random = seededRandom(33);
  const line = `restore-events --backup events.tar.zst --stream ${COPY} --keep-subjects`;
  const tookMs = await stage.finish(line);
  const outcomes = { none: 0, whole: 0, between: 0 };
  for (let i = 0; i < KILLS; i++) {
    await client.jsm.streams.delete(COPY).catch(() => false);
    if (i % 2 === 0) await stage.killed(line, (0.2 + random() * 0.85) * tookMs);
    else await stage.killedWriting(line, COPY, random() * 40);
    // Now and then the one that goes on is killed as well.
    if (i % 5 === 0) await stage.killed(line, (0.2 + random() * 0.85) * tookMs);
    await sleep(30);
    const exists = await stage.exists(COPY);
    const command = await unfinishedStreamRestore(client, COPY);
    const now = exists ? await stage.streamText(COPY) : null;
    const state = now === null ? "none" : now === wanted ? "whole" : "between";
    outcomes[state] += 1;
    if (state === "between") {
      expect(command, `kill ${i}`).not.toBeNull();
      expect(wanted.startsWith(now ?? ""), "a first part, in order").toBe(true);
    }
    if (command !== null) await stage.finish(command);
    if (exists) expect(await stage.streamText(COPY)).toBe(wanted);
    expect(await unfinishedStreamRestore(client, COPY)).toBeNull();
  }
  expect(outcomes.between, JSON.stringify(outcomes)).toBeGreaterThan(0);
}, 1_200_000);
