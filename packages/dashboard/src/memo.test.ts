import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Memo } from "./memo.ts";

test("one load serves all who ask while it goes on, however long it takes, and for a while after", async () => {
  const memo = new Memo<number>(10_000);
  let loads = 0;
  const load = async () => {
    loads += 1;
    await sleep(50);
    return loads;
  };
  const first = memo.get("a", load, 1);
  await sleep(20);
  expect(await Promise.all([first, memo.get("a", load, 1), memo.get("b", load)])).toEqual([2, 2, 2]);
  expect(await memo.get("a", load)).toBe(2);
  await sleep(5);
  expect(await memo.get("a", load, 1)).toBe(3);
});

test("a failure is told, and not kept", async () => {
  const memo = new Memo<number>(10_000);
  await expect(memo.get("a", () => Promise.reject(new Error("away")))).rejects.toThrow("away");
  expect(await memo.get("a", async () => 1)).toBe(1);
});

test("of many keys, few are kept", async () => {
  const memo = new Memo<number>(10_000, 2);
  let loads = 0;
  const load = async () => ++loads;
  for (const key of ["a", "b", "c", "c"]) await memo.get(key, load);
  expect(loads).toBe(3);
  await memo.get("a", load);
  expect(loads).toBe(4);
});
