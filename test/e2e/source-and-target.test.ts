import { Ledger } from "@cim-replay/nats";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { orderProjection } from "../support/order-projection.ts";
import { openStage, SOURCES, type Stage } from "../support/stage.ts";

const events = Array.from({ length: 500 }, (_, i) => ({ id: `a${i % 20}`, type: "Added", payload: { n: i } }));

describe.each(SOURCES)("between plan and end (%s)", (source) => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await openStage({
      natsUrl: inject("natsUrl"),
      redisUrl: inject("redisUrl"),
      projection: orderProjection as never,
      source,
    });
    await stage.publish(events);
  });
  afterEach(() => stage.close());

  /** The run is planned and started; workers only come after what happens meanwhile. */
  async function runWhile(meanwhile: () => Promise<unknown>) {
    const held = await stage.start();
    await meanwhile();
    await stage.addWorkers(1);
    return stage.drive(held);
  }

  it("events that are published are not part of the run", async () => {
    const run = await runWhile(() => stage.publish(events));
    expect(run.reason).toBeNull();
    expect(run.summary?.events).toBe(500);
  });

  it("a recreated stream fails the run", async () => {
    const run = await runWhile(async () => {
      await stage.client.jsm.streams.delete(stage.stream);
      await stage.client.jsm.streams.add({ name: stage.stream, subjects: [`${stage.stream}.>`] });
      await stage.publish(events);
    });
    expect(run.state).toBe("failed");
    expect(run.reason).toMatch(/SourceChanged|created|recreated|made again/i);
  });

  it("a purge fails the run", async () => {
    const run = await runWhile(() => stage.client.jsm.streams.purge(stage.stream, { seq: 100 }));
    expect(run.state).toBe("failed");
    expect(run.reason).toContain(stage.stream);
  });

  it("a single deleted message fails the run, naming its sequence", async () => {
    const run = await runWhile(() => stage.client.jsm.streams.deleteMessage(stage.stream, 250, false));
    expect(run.state).toBe("failed");
    expect(run.reason).toContain("250");
  });

  it("messages deleted before the plan are no failure", async () => {
    for (const seq of [3, 4, 250, 500]) await stage.client.jsm.streams.deleteMessage(stage.stream, seq, false);
    const run = await runWhile(async () => undefined);
    expect(run.reason).toBeNull();
    expect(run.summary?.events).toBe(496);
  });

  it("another writer's entry is not overwritten: the run fails and names the key", async () => {
    await stage.addWorkers(1);
    expect((await stage.run()).state).toBe("completed");
    const held = await stage.start();
    await stage.client.js.publish(`$KV.${stage.bucket}.shop.a7`, "theirs");
    const run = await stage.drive(held);
    expect(run.state).toBe("failed");
    expect(run.reason).toContain("shop.a7");
    expect((await stage.entries()).get("shop.a7")).toBe("theirs");
  });

  it("a second run for the same domain and target is refused, naming the first", async () => {
    const first = await stage.start();
    await expect(stage.start()).rejects.toThrow(new RegExp(`run ${first.record.id} is rebuilding shop`));
    await first.lease.release();
  });

  it("entries that no event accounts for are reported, and removed with prune", async () => {
    await stage.addWorkers(1);
    await stage.run();
    await stage.client.js.publish(`$KV.${stage.bucket}.shop.leftover`, "old");
    const kept = await stage.run();
    expect(kept.summary?.orphans).toBe(1);
    expect(kept.summary?.findings.join()).toContain("shop.leftover");
    const pruned = await stage.run({ prune: true });
    expect(pruned.summary?.pruned).toBe(1);
    expect((await stage.entries()).has("shop.leftover")).toBe(false);
  });

  it("an emptied Redis loses nothing: units are sent again from the ledger", async () => {
    const run = await runWhile(() => stage.ctx.queue.removeRun(""));
    expect(run.state).toBe("completed");
  });

  it("the ledger keeps the run for whoever asks later", async () => {
    const run = await runWhile(async () => undefined);
    const ledger = await Ledger.open(stage.client);
    expect((await ledger?.getRun(run.id))?.record.state).toBe("completed");
    expect((await ledger?.getPlan(run.id))?.range).toEqual({ fromSeq: 1, toSeq: 500 });
  });
});

describe.each(SOURCES)("a run that goes on from entries (%s)", (source) => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await openStage({
      natsUrl: inject("natsUrl"),
      redisUrl: inject("redisUrl"),
      projection: orderProjection as never,
      source,
    });
    await stage.publish(events);
    await stage.addWorkers(2);
  });
  afterEach(() => stage.close());

  it("ends with the same bytes as one that rebuilds", async () => {
    expect((await stage.run()).state).toBe("completed");
    const more = Array.from({ length: 300 }, (_, i) => ({ id: `a${i % 33}`, type: "Moved", payload: { i } }));
    await stage.publish(more);
    const run = await stage.run({ continueFromEntries: true, fromSeq: 400, units: 2 });
    expect(run.reason).toBeNull();
    await stage.run({ target: `${stage.bucket}-whole` });
    expect(await stage.entries()).toEqual(await stage.entries(`${stage.bucket}-whole`));
  });

  it("fails where events lie between what the entries hold and --from-seq", async () => {
    expect((await stage.run({ toSeq: 300 })).state).toBe("completed");
    const run = await stage.run({ continueFromEntries: true, fromSeq: 400 });
    expect(run.state).toBe("failed");
    expect(run.reason).toContain("--from-beginning");
  });

  it("fails on an entry without provenance", async () => {
    await stage.run();
    await stage.client.js.publish(`$KV.${stage.bucket}.shop.a3`, "{}");
    const run = await stage.run({ continueFromEntries: true, fromSeq: 400 });
    expect(run.reason).toContain("shop.a3");
  });
});

describe.each(SOURCES)("a request for a part (%s)", (source) => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await openStage({
      natsUrl: inject("natsUrl"),
      redisUrl: inject("redisUrl"),
      projection: orderProjection as never,
      source,
    });
    await stage.publish(events);
    await stage.addWorkers(1);
  });
  afterEach(() => stage.close());

  it("for one aggregate writes its entry alone, as the whole replay would", async () => {
    const run = await stage.run({ aggregateId: "a7", target: `${stage.bucket}-one` });
    expect(run.reason).toBeNull();
    expect(run.summary?.events).toBe(25);
    await stage.run();
    expect(await stage.entries(`${stage.bucket}-one`)).toEqual(
      new Map([["shop.a7", (await stage.entries()).get("shop.a7")]]),
    );
  });

  it("up to a sequence folds just the events up to it, both ends included", async () => {
    const run = await stage.run({ toSeq: 41 });
    expect(run.summary?.events).toBe(41);
    expect(JSON.parse((await stage.entries()).get("shop.a0") ?? "").total).toBe(3);
  });

  it("up to a time by the events' own clock includes that very time", async () => {
    const at = 1_700_000_000_000 + 41 * 1000;
    const run = await stage.run({ toTimeMs: at });
    expect(run.reason).toBeNull();
    expect(JSON.parse((await stage.entries()).get("shop.a0") ?? "").total).toBe(3);
    expect(run.summary?.findings.join()).toContain("459 events outside the requested times");
  });
});
