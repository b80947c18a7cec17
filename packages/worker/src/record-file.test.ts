import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RecordFile } from "./record-file.ts";

const SEGMENT_BYTES = 4_096;

let folder: string;
let file: RecordFile;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "records-test-"));
  file = new RecordFile(join(folder, "records"), SEGMENT_BYTES);
});
afterEach(() => {
  file.close();
  rmSync(folder, { recursive: true });
});

const copyOf = (position: number) => {
  const record = file.get(position);
  return record && Buffer.from(record);
};

test("what was put last at a position comes back, whatever was put before and where, large ones too", () => {
  const known = new Map<number, Buffer>();
  const put = fc.record({ position: fc.nat(300), bytes: fc.nat(SEGMENT_BYTES + 500), fill: fc.nat(255) });
  for (const { position, bytes, fill } of fc.sample(put, { numRuns: 4_000, seed: 5 })) {
    const record = Buffer.alloc(bytes, fill);
    file.put(position, record);
    known.set(position, record);
    if (bytes % 10 === 0) for (const [at, expected] of known) expect(copyOf(at)).toEqual(expected);
  }
  for (const [at, expected] of known) expect(copyOf(at)).toEqual(expected);
  expect(file.get(301)).toBeUndefined();
});

test("space of what was replaced is used again, also where each segment keeps something", () => {
  for (let at = 0; at < 1_000; at++) file.put(at, Buffer.alloc(100, at));
  const afterFirst = file.bytes;
  // Every eighth is never replaced, so that no segment gets empty by itself.
  for (let round = 0; round < 50; round++) {
    for (let at = 0; at < 1_000; at++) if (at % 8 !== 0) file.put(at, Buffer.alloc(100, at + round));
  }
  expect(file.bytes).toBeLessThan(afterFirst * 3 + 5 * SEGMENT_BYTES);
  for (let at = 0; at < 1_000; at++) expect(copyOf(at)?.[0]).toBe((at % 8 === 0 ? at : at + 49) % 256);
});
