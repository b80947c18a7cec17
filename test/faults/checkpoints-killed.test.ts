import { setTimeout as sleep } from "node:timers/promises";
import { listCheckpoints, unfinishedRestore } from "@cim-replay/archive";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ArchiveStage } from "../support/archive-stage.ts";
import { seededRandom } from "../support/seeded-random.ts";

const KILLS = 10;
const ENTRIES = 2_500;
/** So many that storing them takes tens of messages. */
const MANY_ENTRIES = 8_000;
const BUCKET = "KEPT";
const STORE = "OBJ_CIM_REPLAY_NAMED_CHECKPOINTS";

let stage: ArchiveStage;

beforeAll(async () => {
  stage = await ArchiveStage.open();
});
afterAll(() => stage.close());

const fill = (value: string, keyOf: (i: number) => string, count = ENTRIES) =>
  stage.fillBucket(BUCKET, count, value, keyOf);
const names = async () => (await listCheckpoints(stage.client)).checkpoints.map(({ name }) => name);

it(`kill -9 of create-checkpoint, ${KILLS} times and more, leaves a whole one or none, and its name free for another`, async () => {
  await fill("new", (i) => `shop.a${i}`, MANY_ENTRIES);
  const wanted = await stage.bucketText(BUCKET);
  const random = seededRandom(41);
  const tookMs = await stage.finish(`create-checkpoint --name first --target ${BUCKET}`);
  const outcomes = { none: 0, whole: 0, storedInPart: 0 };
  // Where none fell between its first message and its last, more are tried.
  for (let i = 0; i < KILLS || (outcomes.storedInPart === 0 && i < 4 * KILLS); i++) {
    const before = await stage.lastSeq(STORE);
    const line = `create-checkpoint --name c${i} --target ${BUCKET}`;
    if (i % 2 === 0) await stage.killed(line, (0.3 + random() * 0.75) * tookMs);
    else await stage.killedWriting(line, STORE, random() * 5);
    await sleep(30);
    const isThere = (await names()).includes(`c${i}`);
    outcomes[isThere ? "whole" : "none"] += 1;
    if (!isThere && (await stage.lastSeq(STORE)) > before) outcomes.storedInPart += 1;
    if (!isThere) await stage.finish(line);
    await fill("old", (at) => `shop.extra${at}`);
    await stage.finish(`restore-checkpoint --name c${i} --target ${BUCKET} --yes`);
    expect(await stage.bucketText(BUCKET)).toBe(wanted);
  }
  expect(outcomes.none, JSON.stringify(outcomes)).toBeGreaterThan(0);
  expect(outcomes.storedInPart, JSON.stringify(outcomes)).toBeGreaterThan(0);
}, 600_000);

it(`kill -9 of restore-checkpoint, ${KILLS} times, leaves the old state or the new, or a word in the bucket of how to end it`, async () => {
  await fill("new", (i) => `shop.a${i}`);
  const wanted = await stage.bucketText(BUCKET);
  await stage.finish(`create-checkpoint --name kept --target ${BUCKET}`);
  const line = `restore-checkpoint --name kept --target ${BUCKET} --yes`;
  const spoil = () => fill("old", (i) => (i % 2 === 0 ? `shop.a${i}` : `shop.extra${i}`));
  await spoil();
  const old = await stage.bucketText(BUCKET);
  const random = seededRandom(42);
  const tookMs = await stage.finish(line);
  const outcomes = { old: 0, new: 0, between: 0 };
  for (let i = 0; i < KILLS; i++) {
    await spoil();
    if (i % 2 === 0) await stage.killed(line, (0.3 + random() * 0.75) * tookMs);
    else await stage.killedWriting(line, `KV_${BUCKET}`, random() * 40);
    await sleep(30);
    const [now, command] = [await stage.bucketText(BUCKET), await unfinishedRestore(stage.client, BUCKET)];
    const state = now === old ? "old" : now === wanted ? "new" : "between";
    outcomes[state] += 1;
    if (state === "between") expect(command, `kill ${i}`).toMatch(/^restore-checkpoint --name kept/);
    if (state === "old") await stage.finish(line);
    else if (command !== null) await stage.finish(command.includes("--yes") ? command : `${command} --yes`);
    expect(await stage.bucketText(BUCKET)).toBe(wanted);
    expect(await unfinishedRestore(stage.client, BUCKET)).toBeNull();
  }
  expect(outcomes.between, JSON.stringify(outcomes)).toBeGreaterThan(0);
}, 600_000);
