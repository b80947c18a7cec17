import { takeOverRun } from "@cim-replay/coordinator";
import { QuarantineStore } from "@cim-replay/nats";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { orderProjection } from "../support/order-projection.ts";
import { openStage, SOURCES, type Stage, type StagedEvent } from "../support/stage.ts";

const plain = (id: string, n: number): StagedEvent => ({ id, type: "Added", payload: { n } });
const boom = (id: string): StagedEvent => ({ id, type: "Added", payload: { boom: true } });
const garbage = (id: string): StagedEvent => ({ ...plain(id, 0), raw: new Uint8Array([0xff, 0xfe, 0x01]) });

async function quarantined(stage: Stage, runId: string) {
  const store = await QuarantineStore.open(stage.client, { create: false });
  const found = [];
  for await (const event of store?.list(runId) ?? []) found.push(event);
  return found;
}

describe.each(SOURCES)("an event that cannot be taken (%s)", (source) => {
  let stage: Stage;
  let expected: Map<string, string>;

  beforeAll(async () => {
    stage = await openStage({
      natsUrl: inject("natsUrl"),
      redisUrl: inject("redisUrl"),
      projection: orderProjection as never,
      source,
    });
    await stage.addWorkers(2);
  });
  afterAll(() => stage.close());

  // Two streams of the same good events, one with bad ones among them: what is skipped must leave no trace.
  beforeEach(async () => {
    await stage.client.jsm.streams.purge(stage.stream);
    const good = Array.from({ length: 300 }, (_, i) => plain(`a${i % 10}`, i));
    await stage.publish(good);
    const clean = `${stage.bucket}-clean`;
    expect((await stage.run({ target: clean })).state).toBe("completed");
    expected = await stage.entries(clean);
    await stage.client.jsm.streams.purge(stage.stream);
    await stage.publish([
      ...good.slice(0, 100),
      boom("a1"),
      ...good.slice(100, 200),
      garbage("a2"),
      ...good.slice(200),
    ]);
  });

  it("parks its aggregate, lets the others go on, and fails the run with where and what to do", async () => {
    const target = `${stage.bucket}-parked`;
    const run = await stage.run({ target, units: 2 });
    expect(run.state).toBe("failed");
    expect(run.reason).toMatch(/2 events cannot be taken, the first at sequence \d+; 2 aggregates are parked/);
    expect(run.reason).toContain("--show-errors");
    const entries = await stage.entries(target);
    expect(entries.has("shop.a1") || entries.has("shop.a2")).toBe(false);
    for (const id of ["a0", "a3", "a9"]) expect(entries.get(`shop.${id}`)).toBe(expected.get(`shop.${id}`));
    const kept = await quarantined(stage, run.id);
    expect(kept.map(({ kind, aggregateId }) => `${kind} ${aggregateId}`)).toEqual(["evolve a1", "decode a2"]);
    expect(Buffer.from(kept[1]?.data ?? [])).toEqual(Buffer.from([0xff, 0xfe, 0x01]));
  });

  it("is skipped where --skip-errors allows it, and leaves no trace in the state it had half changed", async () => {
    for (const checkpointInterval of [null, 20, 100_000]) {
      const target = `${stage.bucket}-skipped-${checkpointInterval}`;
      const run = await stage.run({ target, skipErrors: 2, units: 2, checkpointInterval });
      expect(run.reason).toBeNull();
      expect(run.summary?.quarantined).toBe(2);
      expect(await stage.entries(target)).toEqual(expected);
      expect(await quarantined(stage, run.id)).toHaveLength(2);
    }
  });

  it("is skipped any number of times in one aggregate, whose state is that of its good events", async () => {
    await stage.publish([boom("a1"), plain("a1", 300), boom("a1"), boom("a1"), boom("a5"), plain("a1", 301)]);
    const target = `${stage.bucket}-many`;
    const run = await stage.run({ target, skipErrors: 6, checkpointInterval: 50 });
    expect(run.reason).toBeNull();
    expect(run.summary?.quarantined).toBe(6);
    const found = JSON.parse((await stage.entries(target)).get("shop.a1") ?? "");
    expect(found.total).toBe(JSON.parse(expected.get("shop.a1") ?? "").total + 2);
    expect((await stage.entries(target)).get("shop.a5")).toBe(expected.get("shop.a5"));
  });

  it("fails the run where it is one more than --skip-errors allows", async () => {
    const run = await stage.run({ target: `${stage.bucket}-one-more`, skipErrors: 1 });
    expect(run.state).toBe("failed");
    expect(run.reason).toContain("--skip-errors 2");
  });

  it("can be skipped afterwards: the failed run is resumed and ends with the right bytes", async () => {
    for (const checkpointInterval of [null, 15]) {
      const target = `${stage.bucket}-resumed-${checkpointInterval}`;
      const failed = await stage.run({ target, units: 2, checkpointInterval });
      expect(failed.state).toBe("failed");
      const run = await stage.drive(await takeOverRun(stage.ctx, failed.id, { skipErrors: 2 }));
      expect(run.reason).toBeNull();
      expect(await stage.entries(target)).toEqual(expected);
    }
  });
});
