import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DeletedSequences, tileSlices } from "./range.ts";

const range = fc
  .tuple(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 0, max: 2_000 }))
  .map(([fromSeq, length]) => ({ fromSeq, toSeq: fromSeq + length - 1 }));

describe("slices", () => {
  it("tile any range exactly: contiguous, none empty, none too large", () => {
    fc.assert(
      fc.property(range, fc.integer({ min: 1, max: 500 }), (whole, most) => {
        const slices = tileSlices(whole, most);
        let next = whole.fromSeq;
        for (const { fromSeq, toSeq } of slices) {
          expect(fromSeq).toBe(next);
          expect(toSeq - fromSeq + 1).toBeGreaterThanOrEqual(1);
          expect(toSeq - fromSeq + 1).toBeLessThanOrEqual(most);
          next = toSeq + 1;
        }
        expect(next).toBe(whole.toSeq + 1);
      }),
    );
  });
});

describe("deleted sequences", () => {
  it("count and find like a plain set does", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 })), range, (list, within) => {
        const small = { fromSeq: (within.fromSeq % 60) + 1, toSeq: (within.toSeq % 60) + 1 };
        const all = { fromSeq: 1, toSeq: 60 };
        const deleted = DeletedSequences.fromList(list, all);
        const set = new Set(list);
        const inside = Array.from({ length: 61 }, (_, seq) => seq).filter(
          (seq) => seq >= small.fromSeq && seq <= small.toSeq,
        );
        expect(deleted.count).toBe(set.size);
        expect(deleted.countWithin(small)).toBe(inside.filter((seq) => set.has(seq)).length);
        expect(deleted.firstPresent(small)).toBe(inside.find((seq) => !set.has(seq)) ?? null);
      }),
    );
  });

  it("have one canonical form, whatever the order they are listed in", () => {
    const within = { fromSeq: 1, toSeq: 100 };
    const a = DeletedSequences.fromList([7, 3, 4, 5, 4], within);
    expect(a.canonical()).toBe("3-5,7-7");
    expect(DeletedSequences.fromList([5, 4, 3, 7], within).canonical()).toBe(a.canonical());
  });
});
