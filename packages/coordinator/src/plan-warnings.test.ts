import type { BucketFacts, StreamFacts } from "@cim-replay/nats";
import { describe, expect, it } from "vitest";
import { planWarnings } from "./plan-warnings.ts";

const NONE: StreamFacts["limits"] = { maxMsgsPerSubject: -1, maxAgeMs: 0, maxMsgs: -1, maxBytes: -1, maxMsgSize: -1 };

function warnings(options: {
  stream?: Partial<StreamFacts>;
  fromSeq?: number;
  deleted?: number;
  bucket?: Partial<BucketFacts>;
  timesApart?: number;
  tooManySubjects?: number;
}): string[] {
  const whole = {
    name: "EVENTS",
    firstSeq: 1,
    lastSeq: 100,
    limits: NONE,
    retention: "limits",
    unfinishedRestore: null,
  };
  const stream = { ...whole, ...options.stream };
  return planWarnings({
    domain: "graph",
    calibration: { sampled: 3_000, timesApart: options.timesApart ?? 0 },
    tooManySubjects: options.tooManySubjects ?? null,
    stream: stream as StreamFacts,
    range: { fromSeq: options.fromSeq ?? stream.firstSeq, toSeq: 100 },
    deleted: options.deleted ?? 0,
    buckets: [
      options.bucket
        ? ({ bucket: "T", bytes: 0, maxBytes: -1, unfinishedRestore: null, ...options.bucket } as BucketFacts)
        : null,
    ],
    bytes: 1_000,
  });
}

describe("planWarnings", () => {
  it("has nothing to say of a whole stream without limits", () => {
    expect(warnings({ bucket: { bytes: 5_000, maxBytes: -1 } })).toEqual([]);
  });

  it("says where the stream no longer has its beginning, unless less is asked for", () => {
    expect(warnings({ stream: { firstSeq: 40 } })).toEqual([expect.stringMatching(/EVENTS begins at sequence 40/)]);
    expect(warnings({ stream: { firstSeq: 40 }, fromSeq: 50 })).toEqual([]);
  });

  it("says where the stream is half restored, and what finishes it", () => {
    expect(warnings({ stream: { unfinishedRestore: "restore-events --backup e.tar.gz" } })).toEqual([
      "EVENTS is half restored, so events are missing. Finish that first: `restore-events --backup e.tar.gz`.",
    ]);
  });

  it("says where the bucket is half restored, and what finishes it", () => {
    expect(warnings({ bucket: { unfinishedRestore: "restore-projections --backup a.tar.gz" } })).toEqual([
      expect.stringMatching(/^Bucket T is half restored: .* first: `restore-projections --backup a\.tar\.gz`\.$/),
    ]);
  });

  it("counts what was deleted within the range", () => {
    expect(warnings({ deleted: 3 })).toEqual([expect.stringMatching(/^3 messages within the range were deleted/)]);
  });

  it("names every limit by which the stream drops history", () => {
    const limits = { ...NONE, maxMsgsPerSubject: 10, maxAgeMs: 90_000, maxMsgs: 7, maxBytes: 8 };
    expect(warnings({ stream: { limits } })).toEqual([
      expect.stringMatching(/max_msgs_per_subject 10, max_age 90 s, max_msgs 7, max_bytes 8/),
    ]);
    expect(warnings({ stream: { limits: { ...NONE, maxMsgSize: 100 } } })).toEqual([]);
  });

  it("says where the bucket may fill up", () => {
    expect(warnings({ bucket: { bytes: 500, maxBytes: 1_499 } })).toEqual([
      expect.stringMatching(/Bucket T may fill up: it holds 500 of at most 1499 bytes/),
    ]);
    expect(warnings({ bucket: { bytes: 500, maxBytes: 1_500 } })).toEqual([]);
  });

  it("says what is not known beforehand, and on how many events the two clocks differ", () => {
    expect(warnings({ tooManySubjects: 900_000, timesApart: 12 })).toEqual([
      expect.stringMatching(/EVENTS has 900000 subjects of graph, too many to count/),
      expect.stringMatching(/^Of 3000 sampled events, 12 fall on another side/),
    ]);
  });
});
