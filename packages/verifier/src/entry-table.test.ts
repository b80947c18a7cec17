import { setTimeout as sleep } from "node:timers/promises";
import { hash } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { EntryFacts } from "./entry-facts.ts";
import { EntryTable } from "./entry-table.ts";

const sha = fc.nat(20).map((n) => hash("sha256", `${n}`));
const key = fc.oneof(
  fc.uuid().map((id) => `shop.${id}`),
  fc.nat(40).map((n) => `shop.a${n}`),
  fc.constantFrom("shop.", "shop", "other.a", "shop.a=2Eb", "shop.ü", "x".repeat(3_000)),
);
const facts = fc
  .record({
    key,
    revision: fc.maxSafeInteger(),
    sha256: sha,
    canonicalSha256: fc.option(sha),
    stated: fc.option(
      fc.record({
        run: fc.constantFrom("run-1", "run-2", "", "__proto__"),
        sha256: fc.option(sha),
        lastSeq: fc.nat({ max: 2 ** 40 }),
        events: fc.nat({ max: 2 ** 32 - 1 }),
      }),
    ),
  })
  .map(
    ({ canonicalSha256, stated, ...rest }): EntryFacts => ({
      ...rest,
      id: idOf(rest.key),
      canonicalSha256: canonicalSha256 ?? rest.sha256,
      stated: stated && { ...stated, sha256: stated.sha256 ?? rest.sha256 },
    }),
  );

function idOf(text: string): string | null {
  if (!text.startsWith("shop.") || /[^-/_=a-zA-Z0-9.]/.test(text) || text === "shop.") return null;
  return text.slice("shop.".length).replace("=2E", ".");
}

const byKey = (a: EntryFacts, b: EntryFacts) => Buffer.from(a.key).compare(Buffer.from(b.key));

test("it gives back what was put there last, by key and in order", () => {
  fc.assert(
    fc.property(fc.array(facts, { maxLength: 200 }), (all) => {
      const table = new EntryTable("shop");
      for (const each of all) table.set(each);
      const known = new Map(all.map((each) => [each.key, each]));
      expect(table.size).toBe(known.size);
      expect([...table.values()]).toEqual([...known.values()]);
      expect([...table.keys()]).toEqual([...known.keys()]);
      expect([...table.sorted()]).toEqual([...known.values()].sort(byKey));
      for (const [each, expected] of known) expect(table.get(each)).toEqual(expected);
      expect([table.get("shop.none"), table.has("shop.none")]).toEqual([undefined, false]);
    }),
    { numRuns: 200 },
  );
});

/** Node has no public call for it. */
function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

/** Of some collections the one that left least: memory of buffers that were outgrown is given back behind the collector's back. */
async function bytesInUse(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let collections = 0; collections < 5; collections++) {
    collectGarbage();
    await sleep(20);
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    least = Math.min(least, heapUsed + arrayBuffers);
  }
  return least;
}

test("they take no more than 150 bytes each", async () => {
  const table = new EntryTable("shop");
  const before = await bytesInUse();
  const sha256 = hash("sha256", "x");
  const COUNT = 300_000;
  for (let at = 0; at < COUNT; at++) {
    const id = `0f0e0d0c-0b0a-4988-8776-${String(at).padStart(12, "0")}`;
    const stated = { run: "run-1", sha256, lastSeq: at + 1, events: 1 };
    table.set({ key: `shop.${id}`, id, revision: at + 1, sha256, canonicalSha256: sha256, stated });
  }
  expect(table.get("shop.0f0e0d0c-0b0a-4988-8776-000000299999")?.stated?.lastSeq).toBe(COUNT);
  expect(((await bytesInUse()) - before) / COUNT).toBeLessThan(150);
  expect(table.size).toBe(COUNT);
});

test("keys that fill a piece of its memory to the last byte are all there", () => {
  const table = new EntryTable("shop");
  const keys = Array.from({ length: 10_000 }, (_, n) => `shop.${String(n).padStart(11, "0")}`);
  for (const each of keys) {
    const sha256 = hash("sha256", each);
    table.set({ key: each, id: idOf(each), revision: 1, sha256, canonicalSha256: sha256, stated: null });
  }
  expect([...table.keys()]).toEqual(keys);
});
