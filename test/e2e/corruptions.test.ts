import { hash } from "node:crypto";
import type { RunRecord } from "@cim-replay/core";
import { deleteEntry, getEntry } from "@cim-replay/nats";
import { afterAll, beforeAll, expect, it } from "vitest";
import { seededRandom } from "../support/seeded-random.ts";
import type { Stage } from "../support/stage.ts";
import { events, foundIn, openVerifyStage, putAs, verifyStaged } from "../support/verify-stage.ts";

const SEEDS = 120;
const KEYS = 20;

let stage: Stage;
let run: RunRecord;

beforeAll(async () => {
  stage = await openVerifyStage();
  await stage.publish(events(400, KEYS));
  run = await stage.run({ parallel: 3 });
});
afterAll(() => stage.close());

const verify = () => verifyStaged(stage, { run });
const put = (entry: Parameters<typeof putAs>[2]) => putAs(stage, stage.bucket, entry);

interface Victim {
  readonly key: string;
  readonly text: string;
  readonly random: () => number;
}

/** Each harms one entry, and gives what it must be called; what stands in the way back is put there again afterwards. */
const corruptions: ((victim: Victim) => Promise<string>)[] = [
  async ({ key, text, random }) => {
    await put({ key, value: flipped(text, random), from: key });
    return `altered ${key}`;
  },
  async ({ key, text, random }) => {
    const value = flipped(text, random);
    await put({ key, value, from: key, sha256: hash("sha256", value) });
    return `value ${key}`;
  },
  async ({ key }) => {
    const entry = await getEntry(stage.client, stage.bucket, key);
    await deleteEntry(stage.client, stage.bucket, key, entry?.revision ?? 0);
    return `missing ${key}`;
  },
  async ({ key, text }) => {
    const said = (await getEntry(stage.client, stage.bucket, key))?.provenance;
    await put({ key, value: text, from: key, events: (said?.events ?? 0) + 1 });
    return `count ${key}`;
  },
  async ({ key, text }) => {
    const said = (await getEntry(stage.client, stage.bucket, key))?.provenance;
    await put({ key, value: text, from: key, lastSeq: (said?.lastSeq ?? 0) - 1 });
    return `count ${key}`;
  },
  async ({ key, random }) => {
    const other = keyAt(Number(key.replace("shop.a", "")) + 1 + Math.floor(random() * (KEYS - 1)));
    const entry = await getEntry(stage.client, stage.bucket, other);
    await put({ key, value: entry?.value ?? "", from: other });
    return `value ${key}`;
  },
  async ({ key, text }) => {
    await put({ key, value: text.slice(0, -1), from: key });
    return `altered ${key}`;
  },
];

function keyAt(n: number): string {
  return `shop.a${n % KEYS}`;
}

/** One bit of one byte, so that the bytes are others for certain. */
function flipped(text: string, random: () => number): Uint8Array {
  const bytes = Buffer.from(text);
  const at = Math.floor(random() * bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 7));
  return bytes;
}

it(`${SEEDS} corruptions by seed are found and named, one by one, and nothing is found once it is put back`, {
  timeout: 180_000,
}, async () => {
  expect(foundIn(await verify())).toEqual([]);
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = seededRandom(seed);
    const key = keyAt(Math.floor(random() * KEYS));
    const before = await getEntry(stage.client, stage.bucket, key);
    if (!before?.provenance) throw new Error(`no entry ${key}`);
    const corruption = corruptions[seed % corruptions.length];
    const text = Buffer.from(before.value).toString();
    const must = await corruption?.({ key, text, random });
    const harmed = await verify();
    expect([seed, harmed.verdict, foundIn(harmed)]).toEqual([seed, "fails", expect.arrayContaining([must])]);
    const aside = foundIn(harmed).filter((found) => !found.endsWith(key) && !found.startsWith("entries "));
    expect([seed, aside]).toEqual([seed, []]);
    const from = key === keyAt(0) ? keyAt(1) : keyAt(0);
    await put({ key, value: before.value, from, ...before.provenance });
    expect([seed, foundIn(await verify())]).toEqual([seed, []]);
  }
});
