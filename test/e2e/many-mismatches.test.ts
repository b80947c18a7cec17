import { compileProjection, type Projection } from "@cim-replay/core";
import { loadRun, verifyDomain } from "@cim-replay/verifier";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { openStage, type Stage } from "../support/stage.ts";
import { added, foundIn, putAs } from "../support/verify-stage.ts";

const AGGREGATES = 24;
const EVENTS = 60;
/** As canonical JSON about 700 kB: what a value may be at most, nearly. */
const NUMBERS = 120_000;

interface Large {
  total: number;
  numbers: number[];
}

const large: Projection<Large> = {
  name: "large",
  initial: () => ({ total: 0, numbers: Array.from({ length: NUMBERS }, (_, n) => n % 100_000) }),
  evolve: (state) => {
    state.total += 1;
    return state;
  },
};

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({
    ...{ natsUrl: inject("natsUrl"), redisUrl: inject("redisUrl") },
    projection: large as unknown as Projection<never>,
  });
  await stage.addWorkers(1);
});
afterAll(() => stage.close());

it("large values that all differ are all named, in bounded time, and it is said for how many no event was searched", {
  timeout: 120_000,
}, async () => {
  await stage.publish(Array.from({ length: AGGREGATES * EVENTS }, (_, n) => added(`a${n % AGGREGATES}`, n)));
  const run = await stage.run({ certify: "none" });
  const keys = Array.from({ length: AGGREGATES }, (_, n) => `shop.a${n}`);
  const entries = await stage.entries();
  for (const key of keys) {
    const value = (entries.get(key) ?? "").replace(`"total":${EVENTS}`, `"total":${EVENTS - 1}`);
    await putAs(stage, stage.bucket, { key, value, from: key });
  }
  const began = performance.now();
  let comparedAt = began;
  const certificate = await verifyDomain({
    ...{ client: stage.client, ledger: stage.ctx.ledger, level: "full", bucket: stage.bucket, domain: "shop" },
    domainSettings: stage.domainSettings,
    projection: {
      ref: { name: "large", source: "builtin", path: null, sha256: "test" },
      projection: compileProjection(large as unknown as Projection),
    },
    run: await loadRun(stage.ctx.ledger, run.id),
    toolVersion: "0.0.0",
    signal: new AbortController().signal,
    onProgress: ({ stage: at }) => {
      if (at === "values") comparedAt = performance.now();
    },
  });
  expect(performance.now() - comparedAt).toBeLessThan(15_000);
  const values = foundIn(certificate).filter((found) => found.startsWith("value "));
  expect(values).toEqual(keys.map((key) => `value ${key}`).sort());
  const { evidence, why } = certificate.checks.refold;
  expect(evidence.differ).toBe(AGGREGATES);
  const unsearched = Number(/For (\d+) of the entries that differ/.exec(why ?? "")?.[1]);
  expect(unsearched).toBeGreaterThanOrEqual(AGGREGATES - 20);
  const located = certificate.discrepancies.first.filter(({ text }) => text.includes("differs at $.total: "));
  expect(located.length).toBeGreaterThan(0);
});
