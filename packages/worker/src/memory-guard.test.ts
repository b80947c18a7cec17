import { expect, test } from "vitest";
import { MemoryGuard } from "./memory-guard.ts";

const LIMIT = 1_000;

function guardOf(bytes: { garbage: number; alive: number }, gcInterval: number | null = null) {
  const collections: string[] = [];
  const guard = new MemoryGuard(
    { memoryLimitBytes: LIMIT, gcInterval },
    {
      rss: () => bytes.garbage + bytes.alive,
      collect: (flavor) => {
        collections.push(flavor);
        bytes.garbage = 0;
      },
    },
  );
  return { guard, collections };
}

test("nothing is collected while the limit is far", () => {
  const { guard, collections } = guardOf({ garbage: 300, alive: 300 });
  expect(guard.look(1, 0)).toBe("fits");
  expect(collections).toEqual([]);
});

test("garbage goes first, and only what is left may be too much", () => {
  const { guard, collections } = guardOf({ garbage: 900, alive: 600 });
  expect(guard.look(1, 0)).toBe("fits");
  expect(collections).toEqual(["last-resort"]);
  expect(guardOf({ garbage: 500, alive: 800 }).guard.look(1, 0)).toBe("near");
  expect(guardOf({ garbage: 0, alive: 1_001 }).guard.look(1, 0)).toBe("over");
});

test("what stays after a collection is not collected again and again", () => {
  const bytes = { garbage: 0, alive: 800 };
  const { guard, collections } = guardOf(bytes);
  expect(guard.look(1, 0)).toBe("near");
  bytes.garbage = 90;
  expect(guard.look(2, 1_000)).toBe("fits");
  bytes.garbage = 110;
  expect(guard.look(3, 2_000)).toBe("near");
  expect(collections).toHaveLength(2);
});

test("it looks ten times as often once the limit is near, and says when too little is left for garbage", () => {
  const bytes = { garbage: 0, alive: 750 };
  const { guard } = guardOf(bytes);
  expect([guard.look(1, 0), guard.isCramped]).toEqual(["near", false]);
  bytes.alive = 850;
  expect([guard.look(2, 9), guard.look(2, 10), guard.isCramped]).toEqual([null, "fits", true]);
  bytes.alive = 890;
  expect([guard.look(3, 20), guard.isCramped]).toEqual(["near", true]);
});

test("it looks no more often than ten times a second, and collects after so many events as it is told", () => {
  const { guard, collections } = guardOf({ garbage: 0, alive: 0 }, 500);
  expect([guard.look(100, 0), guard.look(200, 50), guard.look(499, 101)]).toEqual(["fits", null, "fits"]);
  expect(collections).toEqual([]);
  guard.look(500, 102);
  guard.look(999, 103);
  guard.look(1_000, 104);
  expect(collections).toEqual(["regular", "regular"]);
});

test("a collection near the limit gives pages back to the system", () => {
  let kept: unknown[] | null = Array.from({ length: 400_000 }, (_, at) => ({ at, text: `${at}` }));
  const guard = new MemoryGuard({ memoryLimitBytes: 1, gcInterval: null });
  const full = process.memoryUsage.rss();
  expect(kept.length).toBe(400_000);
  kept = null;
  expect(guard.look(1)).toBe("over");
  expect(process.memoryUsage.rss()).toBeLessThan(full - 10 * 2 ** 20);
});
