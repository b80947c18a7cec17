import { DeletedSequences, SourceChangedError } from "@cim-replay/core";
import { describe, expect, it } from "vitest";
import { SequenceAccountant } from "./accountant.ts";

const slices = [
  { fromSeq: 10, toSeq: 14 },
  { fromSeq: 15, toSeq: 19 },
  { fromSeq: 20, toSeq: 22 },
];

function accountant(options: { deleted?: number[]; fromSeq?: number; deliveredBySlice?: number[] } = {}) {
  return new SequenceAccountant({
    stream: "EVENTS",
    slices,
    deleted: DeletedSequences.fromList(options.deleted ?? [], { fromSeq: 10, toSeq: 22 }),
    fromSeq: options.fromSeq ?? 10,
    deliveredBySlice: options.deliveredBySlice ?? [0, 0, 0],
  });
}

function deliver(to: SequenceAccountant, from: number, until: number, without: readonly number[] = []): void {
  for (let seq = from; seq <= until; seq++) if (!without.includes(seq)) to.delivered(seq);
}

describe("SequenceAccountant", () => {
  it("closes where every sequence came, and counts them by slice", () => {
    const books = accountant();
    deliver(books, 10, 22);
    books.ended(22);
    books.assertSlicesClose();
    expect(books.deliveredBySlice).toEqual([5, 5, 3]);
  });

  it("closes where what did not come was deleted before, at either end and across slices", () => {
    const deleted = [10, 13, 14, 15, 16, 17, 18, 19, 22];
    const books = accountant({ deleted });
    deliver(books, 10, 22, deleted);
    books.ended(22);
    books.assertSlicesClose();
    expect(books.deliveredBySlice).toEqual([2, 0, 2]);
  });

  it("names the first sequence that should have come", () => {
    const books = accountant({ deleted: [12] });
    books.delivered(10);
    books.delivered(11);
    expect(() => books.delivered(15)).toThrow(/sequence 13 of EVENTS/);
  });

  it("notices what is missing at the start and at the end", () => {
    expect(() => accountant().delivered(11)).toThrow(SourceChangedError);
    const books = accountant();
    deliver(books, 10, 21);
    expect(() => books.ended(22)).toThrow(/sequence 22 of EVENTS/);
  });

  it("goes on from a checkpoint in the middle of a slice", () => {
    const books = accountant({ fromSeq: 17, deliveredBySlice: [5, 2, 0] });
    deliver(books, 17, 22);
    books.ended(22);
    books.assertSlicesClose();
    expect(books.deliveredBySlice).toEqual([5, 5, 3]);
  });

  it("goes on from a checkpoint at the very end", () => {
    const books = accountant({ fromSeq: 23, deliveredBySlice: [5, 5, 3] });
    books.ended(22);
    books.assertSlicesClose();
  });

  it("names the slice whose figures do not close", () => {
    const lacking = accountant({ fromSeq: 17, deliveredBySlice: [5, 1, 0] });
    deliver(lacking, 17, 22);
    lacking.ended(22);
    expect(() => lacking.assertSlicesClose()).toThrow(
      /slice 1 \(sequences 15 to 19\).*4 delivered and 0 deleted are not 5/,
    );
    const twice = accountant();
    deliver(twice, 10, 12);
    twice.delivered(12);
    deliver(twice, 13, 22);
    twice.ended(22);
    expect(() => twice.assertSlicesClose()).toThrow(/slice 0.*6 delivered/);
  });

  it("notices a sequence that came although it is deleted", () => {
    const books = accountant({ deleted: [12] });
    deliver(books, 10, 22);
    books.ended(22);
    expect(() => books.assertSlicesClose()).toThrow(/slice 0.*5 delivered and 1 deleted are not 5/);
  });
});
