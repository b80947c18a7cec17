import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Aggregate, type Aggregates, AggregateTable } from "./aggregate-table.ts";
import { anyState } from "./any-state.fixture.ts";
import { DiskFile } from "./disk-file.ts";
import { DiskTable } from "./disk-table.ts";
import { LEAST_HOT_BYTES } from "./memory-guard.ts";
import { eventOf, foldOf, states, takeAll } from "./unit-fold.fixture.ts";

let folder: string;
let file: DiskFile;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "disk-table-test-"));
  file = DiskFile.open(null, folder);
});
afterEach(() => {
  file.close();
  rmSync(folder, { recursive: true });
});

/** Room for about ten of the states below. */
const onDisk = () => new DiskTable("graph", file, 3_000);

const plain = (aggregates: Iterable<Aggregate>) => Array.from(aggregates, (each) => ({ ...each, changed: false }));

test("folding with aggregates on disk comes to the same states, also of events that were refused", () => {
  const messages = Array.from({ length: 2_000 }, (_, at) => {
    const payload = at % 97 === 0 ? { bad: true } : { at, text: "x".repeat(at % 50) };
    return eventOf(`a${(at * 31) % 211}`, at + 1, { payload });
  });
  const table = onDisk();
  const expected = states(takeAll(foldOf(), messages));
  const fold = takeAll(foldOf({ aggregates: table }), messages);
  expect(table.shelved).toBeGreaterThan(500);
  const parked = new Set(Array.from(table.all()).flatMap(({ id, parked: isParked }) => (isParked ? [id] : [])));
  expect(parked.size).toBeGreaterThan(5);
  // A parked one's state may be half changed, is not to be trusted, and is never written.
  const trusted = (all: Record<string, unknown>) => Object.entries(all).filter(([id]) => !parked.has(id));
  expect(trusted(states(fold))).toEqual(trusted(expected));
});

const id = fc.oneof(
  fc.nat(60).map((n) => `a${n}`),
  fc.constantFrom("é", "__proto__", "constructor", "日本"),
);
function change(table: Aggregates, to: { id: string; state: unknown; cid: string | null }, seq: number): void {
  const aggregate = table.get(to.id) ?? table.add(to.id, to.id, to.id.length % 3);
  aggregate.state = to.state;
  aggregate.events += 1;
  aggregate.lastSeq = seq;
  aggregate.lastCid = to.cid;
  aggregate.parked = seq % 7 === 0;
  table.markChanged(aggregate);
}

test("whatever is done with it, it holds what a table in memory holds", () => {
  const changes = fc.array(fc.record({ id, state: anyState, cid: fc.option(fc.string()) }), {
    minLength: 50,
    maxLength: 300,
  });
  fc.assert(
    fc.property(changes, (all) => {
      const own = DiskFile.open(null, folder);
      try {
        const [memory, table] = [new AggregateTable("graph"), new DiskTable("graph", own, 600)];
        for (const [at, each] of all.entries()) {
          for (const one of [memory, table]) change(one, each, at + 2 ** 33);
          if (at % 40 !== 39) continue;
          const [expected, found] = [memory.takeChanged(), table.takeChanged()];
          expect(found.length).toBe(expected.length);
          const byIndex = (some: Iterable<Aggregate>) => plain(some).toSorted((a, b) => a.index - b.index);
          expect(isDeepStrictEqual(byIndex(found), byIndex(expected))).toBe(true);
        }
        expect(isDeepStrictEqual(plain(table.all()), plain(memory.all()))).toBe(true);
        expect(isDeepStrictEqual(plain(table.sorted()), plain(memory.sorted()))).toBe(true);
        expect([0, 1, 2].map((at) => table.countIn(at))).toEqual([0, 1, 2].map((at) => memory.countIn(at)));
      } finally {
        own.close();
      }
    }),
    { numRuns: 40 },
  );
});

test("a state that grows is measured again, so that the oldest make room for it", () => {
  const table = onDisk();
  const [small, large] = [table.add("small", "small", 0), table.add("large", "large", 0)];
  small.state = { text: "s" };
  for (let changes = 1; changes <= 40; changes++) {
    large.state = { text: "l".repeat(changes * 100) };
    table.markChanged(large);
  }
  expect(table.shelved).toBe(1);
  expect(table.get("small")?.state).toEqual({ text: "s" });
  expect(table.get("large")?.state).toEqual({ text: "l".repeat(4_000) });
});

test("bytes in a state are its own, whatever is read from the file after them", () => {
  const table = onDisk();
  const contents = (at: number) => Buffer.alloc(300, at);
  for (let at = 0; at < 100; at++) table.add(`a${at}`, `a${at}`, 0).state = { bytes: contents(at) };
  const kept = [...table.all()].slice(0, 20);
  expect(kept.map(({ state }) => state)).toEqual(kept.map(({ index }) => ({ bytes: contents(index) })));
});

test("states that come from a checkpoint are measured before they have had an event, however large they are", () => {
  const table = onDisk();
  for (let at = 0; at < 20; at++) {
    const aggregate = Object.assign(table.add(`a${at}`, `a${at}`, 0), { state: "x".repeat(5_000), events: 7 });
    table.restored(aggregate);
  }
  expect(table.shelved).toBeGreaterThanOrEqual(18);
});

test("two routing keys of one id are told, also when the first lies on disk", () => {
  const table = onDisk();
  table.add("k", "an id", 0);
  for (let at = 0; at < 200; at++) table.add(`a${at}`, `a${at}`, 0).state = "x".repeat(100);
  expect(() => table.add("other", "an id", 0)).toThrow(/the tokens "k" and "other" both hold aggregate "an id"/);
  expect(() => table.add("b", "a7", 0)).toThrow(/the tokens "a7" and "b"/);
});

test("its files have no names, so that nothing is left however the process ends", () => {
  const table = onDisk();
  for (let at = 0; at < 500; at++) table.add(`a${at}`, `a${at}`, 0).state = { text: "x".repeat(100) };
  expect(table.shelved).toBeGreaterThan(400);
  expect(readdirSync(folder)).toEqual([]);
});

test("a folder that cannot be written is told, with what to do", () => {
  expect(() => DiskFile.open(null, join(folder, "none"))).toThrow(/Cannot keep states on disk in .*TMPDIR/);
});

test("told to hold less, it moves what it has to its file, and goes on with less room", () => {
  const table = new DiskTable("graph", file, 8 * LEAST_HOT_BYTES);
  const messages = Array.from({ length: 2_000 }, (_, at) =>
    eventOf(`a${at}`, at + 1, { payload: { text: "x".repeat(4_000) } }),
  );
  const fold = takeAll(foldOf({ aggregates: table }), messages);
  expect(table.shelved).toBe(0);
  for (let round = 0; round < 20; round++) table.holdLess();
  expect(table.shelved).toBeGreaterThan(1_000);
  expect(table.shelved).toBeLessThan(2_000);
  expect(states(fold)).toEqual(states(takeAll(foldOf(), messages)));
});
