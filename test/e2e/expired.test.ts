import { certificateText, parseCertificate, verifyAggregate } from "@cim-replay/verifier";
import { describe, expect, it } from "vitest";
import type { Stage } from "../support/stage.ts";
import {
  added,
  certify,
  events,
  foundIn,
  withVerifyStage,
  putAs,
  staged,
  verdicts,
  verifyStaged,
} from "../support/verify-stage.ts";

let stage: Stage;
let target: string;
withVerifyStage((opened, fresh) => {
  stage = opened;
  target = fresh;
}, true);

/** As limits by age, number or size do it. */
const expireUpTo = (seq: number) => stage.client.jsm.streams.purge(stage.stream, { seq: seq + 1 });
const put = (key: string, value: string) => putAs(stage, target, { key, value, from: key });

describe("a stream whose first messages have expired since the run", () => {
  /** Sequences 1 to 50 are all of a0 to a4, 51 to 100 all of b0 to b4. */
  async function runAndExpire(upTo: number) {
    await stage.publish(events(50, 5));
    await stage.publish(Array.from({ length: 50 }, (_, n) => added(`b${n % 5}`, n)));
    const run = await stage.run({ target, parallel: 2 });
    await expireUpTo(upTo);
    return run;
  }

  it.each(["full", "content", "counts"] as const)(
    "leaves %s incomplete, saying which entries and why",
    async (level) => {
      const run = await runAndExpire(13);
      const certificate = await verifyStaged(stage, { run, bucket: target, level });
      expect(foundIn(certificate)).toEqual([]);
      const keys = ["shop.a0", "shop.a1", "shop.a2", "shop.a3", "shop.a4"];
      expect(certificate).toMatchObject({ verdict: "incomplete", expired: { entries: 5, firstSeq: 14, first: keys } });
      expect(parseCertificate(certificateText(certificate))).toEqual(certificate);
      expect(verdicts(certificate)).toMatchObject({ coverage: "holds", counts: "holds", readBack: "holds" });
      expect(certificate.checks.content.verdict).toBe("not compared");
      if (level !== "full") return;
      expect(certificate.checks.refold).toMatchObject({ verdict: "holds", evidence: { values: 5, expired: 5 } });
      expect(certificate.checks.refold.why).toBe(
        "5 entries have events before the stream's first sequence and cannot be refolded.",
      );
    },
  );

  it("holds once more where the entries that are there have all their events", async () => {
    const run = await runAndExpire(0);
    await stage.publish([added("c0", 1)]);
    expect((await verifyStaged(stage, { run, bucket: target })).verdict).toBe("holds");
  });

  it("still finds a wrong value among those that can be compared, and altered bytes among the others", async () => {
    const run = await runAndExpire(50);
    await put("shop.b2", '{"total":1}');
    await put("shop.a3", '{"total":1}');
    const certificate = await verifyStaged(stage, { run, bucket: target });
    expect(foundIn(certificate)).toEqual(
      expect.arrayContaining(["altered shop.a3", "altered shop.b2", "value shop.b2"]),
    );
    expect(foundIn(certificate)).not.toContain("value shop.a3");
    expect(certificate).toMatchObject({ verdict: "fails", expired: { entries: 5 } });
  });

  it("takes entries all of whose events are gone for no extra ones", async () => {
    const run = await runAndExpire(50);
    const certificate = await verifyStaged(stage, { run, bucket: target });
    expect(foundIn(certificate)).toEqual([]);
    expect(certificate).toMatchObject({ verdict: "incomplete", expired: { entries: 5, firstSeq: 51 } });
    expect(certificate.checks.refold.evidence).toMatchObject({ values: 5, differ: 0 });
  });

  it("leaves one aggregate alone incomplete, or not, by its own events", async () => {
    await runAndExpire(50);
    const verifyOne = (aggregateId: string) =>
      verifyAggregate({
        ...{ client: stage.client, ledger: stage.ctx.ledger, domain: "shop", domainSettings: stage.domainSettings },
        ...{ aggregateId, bucket: target, level: "full", projection: staged, toolVersion: "0.0.0" },
        signal: new AbortController().signal,
      });
    expect(await verifyOne("a1")).toMatchObject({ verdict: "incomplete", expired: { entries: 1, first: ["shop.a1"] } });
    expect((await verifyOne("b1")).verdict).toBe("holds");
  });

  it("is not believed where a message behind the first has gone too", async () => {
    const run = await runAndExpire(10);
    await stage.client.jsm.streams.deleteMessage(stage.stream, 70);
    const certificate = await verifyStaged(stage, { run, bucket: target });
    expect(certificate.verdict).toBe("fails");
    expect(foundIn(certificate)).toContain("source -");
  });

  it("fails the run's own certificate, which speaks of the whole range", async () => {
    const run = await runAndExpire(10);
    expect(await certify(stage, run)).toMatchObject({ verdict: "fails", discrepancies: { byKind: { source: 1 } } });
  });

  it("may go on expiring while it is verified", async () => {
    await stage.client.jsm.streams.update(stage.stream, { max_msgs: 2_000 });
    await stage.publish(events(2_000, 40));
    const run = await stage.run({ target, parallel: 2 });
    let publishing = true;
    const writer = (async () => {
      for (let n = 0; publishing; n++) await stage.publish([added("z", n), added("z", n)]);
    })();
    try {
      for (let tries = 0; tries < 5; tries++) {
        const certificate = await verifyStaged(stage, { run, bucket: target });
        expect(certificate.discrepancies.first).toEqual([]);
      }
    } finally {
      publishing = false;
      await writer;
    }
  });
});

describe("aggregates that began after the run", () => {
  it.each(["counts", "full"] as const)(
    "are counted as behind at %s, without an entry, and are nothing wrong",
    async (level) => {
      await stage.publish(events(50, 5));
      const run = await stage.run({ target });
      await stage.publish([added("new1", 1), added("new1", 2), added("new2", 1), added("a0", 9)]);
      const certificate = await verifyStaged(stage, { run, bucket: target, level });
      expect(certificate.verdict).toBe("holds");
      expect(certificate.behind).toMatchObject({ entries: 1, events: 1 });
      expect(certificate.behind.begun).toEqual({
        ...{ aggregates: 2, events: 3 },
        first: [
          { key: "shop.new1", events: 2 },
          { key: "shop.new2", events: 1 },
        ],
      });
    },
  );
});
