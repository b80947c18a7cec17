import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { orderProjection } from "../support/order-projection.ts";
import { openStage, SOURCES, type Stage, type StagedEvent } from "../support/stage.ts";

const plain = (id: string, n: number): StagedEvent => ({ id, type: "Added", payload: { n } });
const boom = (id: string): StagedEvent => ({ id, type: "Added", payload: { boom: true } });
const garbage = (id: string): StagedEvent => ({ ...plain(id, 0), raw: new Uint8Array([0xff, 0xfe, 0x01]) });
const good = Array.from({ length: 60 }, (_, i) => plain(`a${i % 6}`, i));

describe.each(SOURCES)("--prune together with --skip-errors (%s)", (source) => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await openStage({
      natsUrl: inject("natsUrl"),
      redisUrl: inject("redisUrl"),
      projection: orderProjection as never,
      source,
    });
    await stage.addWorkers(1);
  });
  afterEach(() => stage.close());

  /** Entries as an older replay left them, of these ids. */
  async function leave(...ids: string[]) {
    await stage.run();
    for (const id of ids) await stage.client.js.publish(`$KV.${stage.bucket}.shop.${id}`, "old");
  }

  it("keeps the entry of an aggregate whose events were all skipped, and removes one that has none", async () => {
    await stage.publish([...good, boom("refused"), boom("refused"), garbage("torn")]);
    await stage.publish([boom("a1")]);
    await leave("refused", "torn", "leftover");
    const run = await stage.run({ prune: true, skipErrors: 4 });
    expect(run.reason).toBeNull();
    expect(run.summary).toMatchObject({ quarantined: 4, orphans: 1, pruned: 1 });
    expect(run.summary?.findings).toContain("2 entries kept as they were: all events of their aggregates were skipped");
    const entries = await stage.entries();
    expect(entries.has("shop.leftover")).toBe(false);
    expect([entries.get("shop.refused"), entries.get("shop.torn")]).toEqual(["old", "old"]);
    expect(JSON.parse(entries.get("shop.a1") ?? "").total).toBe(10);
  });

  it("removes nothing where a skipped event cannot tell whose it is, and says so", async () => {
    await stage.publish([...good, garbage("torn")]);
    await leave("leftover");
    // Subjects that hold no id: whose the torn event is stands in its payload alone.
    const domainSettings = { ...stage.domainSettings, subject: `${stage.stream}.{domain}.*.{event_type}` };
    const run = await stage.run({ prune: true, skipErrors: 1, domainSettings });
    expect(run.reason).toBeNull();
    expect(run.summary).toMatchObject({ quarantined: 1, orphans: 1, pruned: 0 });
    expect(run.summary?.findings.join()).toContain("--prune leaves them, since 1 skipped events name no aggregate");
    expect((await stage.entries()).get("shop.leftover")).toBe("old");
  });
});

describe("--prune together with an end", () => {
  it("removes what began later, keeps entries whose events were skipped, and without it nothing later is touched", async () => {
    const stage = await openStage({
      natsUrl: inject("natsUrl"),
      redisUrl: inject("redisUrl"),
      projection: orderProjection as never,
      source: "auto",
    });
    try {
      await stage.addWorkers(1);
      await stage.publish([...good, boom("refused"), plain("later", 1), plain("a1", 2)]);
      const whole = await stage.run({ skipErrors: 1 });
      expect(whole.reason).toBeNull();
      await stage.client.js.publish(`$KV.${stage.bucket}.shop.refused`, "old");
      const end = { toSeq: 61, skipErrors: 1 };
      const kept = await stage.run(end);
      expect(kept.summary).toMatchObject({ orphans: 0, pruned: 0 });
      expect((await stage.entries()).has("shop.later")).toBe(true);
      const pruned = await stage.run({ ...end, prune: true });
      expect(pruned.reason).toBeNull();
      expect(pruned.summary).toMatchObject({ orphans: 1, pruned: 1, entriesWritten: 6 });
      const entries = await stage.entries();
      expect([...entries.keys()].sort()).toEqual([...[0, 1, 2, 3, 4, 5].map((n) => `shop.a${n}`), "shop.refused"]);
      expect(JSON.parse(entries.get("shop.a1") ?? "").total).toBe(10);
    } finally {
      await stage.close();
    }
  });
});
