import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AggregateTable } from "./aggregate-table.ts";
import { StateShelf } from "./state-shelf.ts";
import { eventOf, foldOf, states, takeAll } from "./unit-fold.fixture.ts";

let folder: string;
let shelf: StateShelf;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "shelf-test-"));
  // A sixteenth of it may stay: about ten of the states below.
  shelf = StateShelf.open(16 * 2_000, folder);
});
afterEach(() => {
  shelf.close();
  rmSync(folder, { recursive: true });
});

const onDisk = () => new AggregateTable("graph", (aggregate) => shelf.adopt(aggregate));

test("folding with states on disk comes to the same states, also of events that were refused", () => {
  const messages = Array.from({ length: 2_000 }, (_, at) => {
    const payload = at % 97 === 0 ? { bad: true } : { at, text: "x".repeat(at % 50) };
    return eventOf(`a${(at * 31) % 211}`, at + 1, { payload });
  });
  const expected = states(takeAll(foldOf(), messages));
  const fold = takeAll(foldOf({ aggregates: onDisk() }), messages);
  expect(shelf.shelved).toBeGreaterThan(500);
  const parked = new Set(fold.aggregates.all().flatMap(({ id, parked: isParked }) => (isParked ? [id] : [])));
  expect(parked.size).toBeGreaterThan(5);
  // A parked one's state may be half changed, is not to be trusted, and is never written.
  const trusted = (all: Record<string, unknown>) => Object.entries(all).filter(([id]) => !parked.has(id));
  expect(trusted(states(fold))).toEqual(trusted(expected));
});

test("a state that grows is measured again, so that the oldest make room for it", () => {
  const table = onDisk();
  const [small, large] = [table.add("small", "small", 0), table.add("large", "large", 0)];
  small.state = { text: "s" };
  for (let sets = 1; sets <= 40; sets++) large.state = { text: "l".repeat(sets * 100) };
  expect(shelf.shelved).toBe(1);
  expect(small.state).toEqual({ text: "s" });
  expect(large.state).toEqual({ text: "l".repeat(4_000) });
});

test("its file has no name, so that nothing is left however the process ends", () => {
  const table = onDisk();
  for (let at = 0; at < 500; at++) table.add(`a${at}`, `a${at}`, 0).state = { text: "x".repeat(100) };
  expect(shelf.shelved).toBeGreaterThan(400);
  expect(readdirSync(folder)).toEqual([]);
});

test("a folder that cannot be written is told, with what to do", () => {
  expect(() => StateShelf.open(null, join(folder, "none"))).toThrow(/Cannot keep states on disk in .*TMPDIR/);
});
