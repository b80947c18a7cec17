import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { orderProjection } from "../support/order-projection.ts";
import { openStage, type Stage, type StagedEvent } from "../support/stage.ts";
import { added, certify, events, foundIn, verdicts, verifyStaged } from "../support/verify-stage.ts";

const ALL_HOLD = { coverage: "holds", counts: "holds", content: "holds", readBack: "holds", refold: "holds" };
const boom = (id: string): StagedEvent => ({ id, type: "Added", payload: { boom: true } });
const garbage = (id: string): StagedEvent => ({ ...added(id, 0), raw: new Uint8Array([0xff, 0xfe, 0x01]) });

let stage: Stage;
let round = 0;
let target: string;

beforeAll(async () => {
  stage = await openStage({
    natsUrl: inject("natsUrl"),
    redisUrl: inject("redisUrl"),
    projection: orderProjection as never,
  });
  await stage.addWorkers(2);
});
afterAll(() => stage.close());
beforeEach(async () => {
  target = `${stage.bucket}-${round++}`;
  await stage.client.jsm.streams.purge(stage.stream);
});

describe("an honest run", () => {
  it("holds at every level, whatever its partitions, units and deletions", async () => {
    await stage.publish(events(2_000, 50));
    const first = (await stage.client.jsm.streams.info(stage.stream)).state.first_seq;
    for (const seq of [first, first + 7, first + 8, first + 500]) {
      await stage.client.jsm.streams.deleteMessage(stage.stream, seq);
    }
    for (const settings of [{ parallel: 1 }, { parallel: 7, units: 3 }]) {
      const run = await stage.run({ ...settings, target: `${target}-${settings.parallel}` });
      const full = await certify(stage, run);
      expect(foundIn(full)).toEqual([]);
      expect(verdicts(full)).toEqual(ALL_HOLD);
      expect(full.verdict).toBe("holds");
      expect(full.checks.refold.evidence.values).toBe(50);
      expect(full.checks.counts.evidence.aggregatesByIndex).toBe(50);
      const counts = await certify(stage, run, "counts");
      expect(verdicts(counts)).toEqual({ ...ALL_HOLD, content: "not compared", refold: "not compared" });
      expect(verdicts(await certify(stage, run, "content"))).toEqual({ ...ALL_HOLD, refold: "not compared" });
    }
  });

  it("holds after the stream has grown, and verifying the domain says who is behind", async () => {
    await stage.publish(events(300, 10));
    const run = await stage.run({ target });
    await stage.publish([...events(4, 2), added("new", 1)]);
    for (const level of ["counts", "content", "full"] as const) {
      expect(foundIn(await certify(stage, run, level))).toEqual([]);
      const domain = await verifyStaged(stage, { run, level, bucket: target });
      expect(foundIn(domain)).toEqual([]);
      expect(domain.behind).toMatchObject({ entries: 2, events: 4 });
      expect(domain.behind.first.map(({ key, events: count }) => [key, count]).sort()).toEqual([
        ["shop.a0", 2],
        ["shop.a1", 2],
      ]);
    }
  });

  it("holds where events were skipped, and lists them", async () => {
    await stage.publish([...events(100, 5), boom("a1"), garbage("a2"), boom("only"), ...events(50, 5)]);
    const run = await stage.run({ target, skipErrors: 3 });
    expect(run.reason).toBeNull();
    for (const level of ["counts", "content", "full"] as const) {
      const certificate = await certify(stage, run, level);
      expect(foundIn(certificate)).toEqual([]);
      expect(certificate.leftOut.first.map(({ kind, aggregateId }) => `${kind} ${aggregateId}`)).toEqual([
        "evolve a1",
        "decode a2",
        "evolve only",
      ]);
    }
  });

  it("holds where a part was asked for: one aggregate, sequences, times", async () => {
    await stage.publish(events(200, 4));
    const { first_seq: first } = (await stage.client.jsm.streams.info(stage.stream)).state;
    const timeOf = async (seq: number) =>
      Date.parse(
        JSON.parse((await stage.client.jsm.streams.getMessage(stage.stream, { seq }))?.string() ?? "").timestamp,
      );
    const parts = [
      { aggregateId: "a1" },
      { toSeq: first + 120 },
      { fromTimeMs: await timeOf(first + 20), toTimeMs: await timeOf(first + 160) },
    ];
    for (const [at, part] of parts.entries()) {
      const run = await stage.run({ ...part, target: `${target}-${at}` });
      expect(run.reason).toBeNull();
      for (const level of ["counts", "content", "full"] as const) {
        expect([part, level, foundIn(await certify(stage, run, level))]).toEqual([part, level, []]);
      }
    }
  });

  it("holds beside a later run of one aggregate, which the domain's verification takes into account", async () => {
    await stage.publish(events(100, 5));
    const run = await stage.run({ target });
    await stage.publish(events(20, 5));
    await stage.run({ target, aggregateId: "a3" });
    for (const level of ["counts", "content", "full"] as const) {
      const certificate = await certify(stage, run, level);
      expect(foundIn(certificate)).toEqual([]);
      expect(certificate.checks.readBack.evidence.ofLaterRuns).toBe(1);
      const domain = await verifyStaged(stage, { run, level, bucket: target });
      expect(foundIn(domain)).toEqual([]);
      expect(domain.behind).toMatchObject({ entries: 4, events: 16 });
    }
  });

  it("holds where it went on from older entries", async () => {
    await stage.client.jsm.streams.delete(stage.stream);
    await stage.client.jsm.streams.add({ name: stage.stream, subjects: [`${stage.stream}.>`] });
    await stage.publish(events(100, 5));
    await stage.run({ target });
    await stage.publish(events(40, 2));
    const run = await stage.run({ target, continueFromEntries: true, fromSeq: 101 });
    expect(run.reason).toBeNull();
    for (const level of ["counts", "content", "full"] as const) {
      const certificate = await certify(stage, run, level);
      expect(foundIn(certificate)).toEqual([]);
      expect(certificate.verdict).toBe("holds");
    }
  });
});
