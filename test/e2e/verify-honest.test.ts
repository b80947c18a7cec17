import { domainSettingsSchema } from "@cim-replay/core";
import { takeOverRun } from "@cim-replay/coordinator";
import { getEntry } from "@cim-replay/nats";
import { headers } from "nats";
import { describe, expect, it } from "vitest";
import type { Stage } from "../support/stage.ts";
import {
  added,
  boom,
  certify,
  events,
  foundIn,
  garbage,
  withVerifyStage,
  verdicts,
  verifyStaged,
} from "../support/verify-stage.ts";

const ALL_HOLD = { coverage: "holds", counts: "holds", content: "holds", readBack: "holds", refold: "holds" };
const LEVELS = ["counts", "content", "full"] as const;

let stage: Stage;
let target: string;
withVerifyStage((opened, fresh) => {
  stage = opened;
  target = fresh;
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

describe("an honest run of an odd stream", () => {
  const publish = (subject: string, envelope: unknown, head = headers()) =>
    stage.client.js.publish(`${stage.stream}.${subject}`, JSON.stringify(envelope), { headers: head });
  const envelope = (id: string, n: number) => ({
    ...{ event_id: `e${n}`, aggregate_id: id, event_type: "Added", payload: { n } },
    timestamp: new Date(1_700_000_000_000 + n).toISOString(),
  });
  const settingsOf = (subject: string) =>
    domainSettingsSchema.parse({ stream: stage.stream, subject: `${stage.stream}.${subject}` });

  it("holds where subjects hold no ids, with bad events that name nobody", async () => {
    for (let n = 0; n < 100; n++) await publish("shop.all", envelope(`a ${n % 7}`, n));
    await publish("shop.all", "no object");
    await publish("shop.all", envelope("a 3", 100));
    const domainSettings = settingsOf("{domain}.*");
    const run = await stage.run({ target, domainSettings, skipErrors: 1 });
    expect(run.reason).toBeNull();
    for (const level of LEVELS) {
      const certificate = await certify(stage, run, level);
      expect([level, foundIn(certificate)]).toEqual([level, []]);
      expect(certificate.leftOut.total).toBe(1);
      expect(certificate.checks.counts.why).toBe("Not by the server's index: the subjects hold no ids.");
    }
    const counts = await certify(stage, run, "counts");
    expect(verdicts(counts)).toMatchObject({ counts: "not compared", readBack: "holds" });
  });

  describe.each(["own", "library"] as const)("with reader %s", (reader) => {
    it.each(["direct", "shuffle"] as const)(
      "holds where subjects name aggregates otherwise than envelopes do, and headers are on every message: %s",
      async (source) => {
        for (let n = 0; n < 60; n++) {
          const head = headers();
          head.append("X-Trace", `${n}`);
          // Numbers as names, in an order that an object would not keep.
          for (const name of ["9", "1"]) head.append(name, "x".repeat(n * 10));
          head.append("X-Trace", n % 2 === 0 ? "é" : "again");
          await publish(`shop.short${n % 4}.Added`, envelope(`a long name ${n % 4}`, n), head);
        }
        const run = await stage.run({ target, parallel: 3, source, reader });
        expect(run.reason).toBeNull();
        for (const level of LEVELS) expect([level, foundIn(await certify(stage, run, level))]).toEqual([level, []]);
      },
    );
  });

  it("holds where only a few of the stream's messages are its own, so that the reading is filtered", async () => {
    const noise = Array.from({ length: 3_000 }, (_, n) => publish(`noise.x${n % 3}.Y`, envelope("x", n)));
    await Promise.all(noise);
    await stage.publish(events(12, 3));
    const run = await stage.run({ target });
    const plan = await stage.ctx.ledger.getPlan(run.id);
    expect(plan?.read.filterSubjects.length).toBeGreaterThan(0);
    for (const level of LEVELS) expect([level, foundIn(await certify(stage, run, level))]).toEqual([level, []]);
  });
});

describe("an honest run with a history", () => {
  it("holds where it had failed and was resumed", async () => {
    await stage.publish([...events(60, 6), boom("a1"), added("a1", 1), garbage("a2"), added("a2", 1), boom("a1")]);
    const failed = await stage.run({ target, checkpointInterval: 15 });
    expect(failed.state).toBe("failed");
    expect(foundIn(await certify(stage, failed))).toContain("unit -");
    const run = await stage.drive(await takeOverRun(stage.ctx, failed.id, { skipErrors: 3 }));
    expect(run.reason).toBeNull();
    for (const level of LEVELS) expect([level, foundIn(await certify(stage, run, level))]).toEqual([level, []]);
  });

  it("holds when a later run has written every entry anew, and so does the later one", async () => {
    await stage.publish(events(60, 6));
    const first = await stage.run({ target });
    await stage.publish(events(30, 6));
    const second = await stage.run({ target });
    for (const level of LEVELS) {
      const certificate = await certify(stage, first, level);
      expect([level, foundIn(certificate)]).toEqual([level, []]);
      expect(certificate.checks.readBack.evidence).toMatchObject({ ofLaterRuns: 6, partitions: 0 });
      expect([level, foundIn(await certify(stage, second, level))]).toEqual([level, []]);
    }
  });

  it("holds while the stream is being written to", async () => {
    await stage.publish(events(2_000, 20));
    const run = await stage.run({ target });
    let writing = true;
    const writer = (async () => {
      for (let n = 0; writing; n++) await stage.publish([added(`a${n % 40}`, n)]);
    })();
    try {
      for (const level of LEVELS) {
        expect([level, foundIn(await certify(stage, run, level))]).toEqual([level, []]);
        const domain = await verifyStaged(stage, { run, level, bucket: target });
        expect([level, foundIn(domain)]).toEqual([level, []]);
        expect(domain.behind.entries).toBeGreaterThan(0);
      }
    } finally {
      writing = false;
      await writer;
    }
  });

  it("judges what a live writer writes afterwards by its value alone; the run's certificate knows that it is not the run's", async () => {
    await stage.publish(events(60, 6));
    const run = await stage.run({ target });
    const entry = await getEntry(stage.client, target, "shop.a1");
    await stage.client.js.publish(`$KV.${target}.shop.a1`, entry?.value ?? "");
    for (const level of LEVELS) {
      const domain = await verifyStaged(stage, { run, level, bucket: target });
      expect([level, foundIn(domain)]).toEqual([level, []]);
      expect(domain.checks.readBack.evidence).toMatchObject({ ofOtherWriters: 1 });
      expect(foundIn(await certify(stage, run, level))).toContain("altered shop.a1");
    }
    await stage.client.js.publish(`$KV.${target}.shop.a1`, '{"wrong":1}');
    expect(foundIn(await verifyStaged(stage, { run, level: "full", bucket: target }))).toEqual(["value shop.a1"]);
  });

  it("names entries that no event accounts for: the run was told to leave them, the domain is not right with them", async () => {
    await stage.publish([...events(20, 2), added("old", 1)]);
    await stage.run({ target });
    await stage.client.jsm.streams.purge(stage.stream, { filter: `${stage.stream}.shop.old.>` });
    const run = await stage.run({ target });
    for (const level of LEVELS) {
      const certificate = await certify(stage, run, level);
      expect(foundIn(certificate)).toEqual([]);
      expect(certificate.checks.readBack).toMatchObject({ verdict: "holds", evidence: { keptOrphans: 1 } });
      expect(certificate.checks.readBack.why).toContain("shop.old");
      expect(foundIn(await verifyStaged(stage, { run, level, bucket: target }))).toEqual(["extra shop.old"]);
    }
    const pruned = await stage.run({ target, prune: true });
    for (const level of LEVELS) expect(foundIn(await certify(stage, pruned, level))).toEqual([]);
  });

  it("does not hold where an entry was left as it was before the run", async () => {
    await stage.publish(events(20, 2));
    await stage.run({ target });
    const before = await getEntry(stage.client, target, "shop.a1");
    await stage.publish(events(4, 2));
    const run = await stage.run({ target });
    const { lastSeq, epoch, sha256, events: count, run: writer } = before?.provenance ?? {};
    const head = headers();
    const said = { Run: writer, Epoch: epoch, "Last-Seq": lastSeq, Events: count, Sha256: sha256 };
    for (const [name, value] of Object.entries(said)) head.set(`Cim-Replay-${name}`, `${value}`);
    await stage.client.js.publish(`$KV.${target}.shop.a1`, before?.value, { headers: head });
    for (const level of LEVELS) {
      expect(foundIn(await certify(stage, run, level))).toContain("altered shop.a1");
      // As if the run had never come to write it.
      const unwritten = await certify(stage, run, level, ({ plan }) => ({
        plan: { ...plan, target: { ...plan.target, lastRevision: 1_000 } },
      }));
      expect(foundIn(unwritten)).toContain("unwritten shop.a1");
      expect(foundIn(unwritten)).not.toContain("altered shop.a1");
      expect((await verifyStaged(stage, { run, level, bucket: target })).verdict).toBe("fails");
    }
  });
});
