import { takeOverRun } from "@cim-replay/coordinator";
import {
  compileProjection,
  defineProjection,
  eachTarget,
  type Projection,
  type RunRecord,
  type RunSettings,
} from "@cim-replay/core";
import { getEntry, QuarantineStore } from "@cim-replay/nats";
import {
  type Certificate,
  certificateText,
  certifyRun,
  lastCompletedRun,
  type Level,
  loadRun,
  parseCertificate,
  verifyDomain,
} from "@cim-replay/verifier";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { orderProjection } from "../support/order-projection.ts";
import { openStage, type Stage, type StagedEvent } from "../support/stage.ts";
import { putAs } from "../support/verify-stage.ts";

/** Refuses what the other takes, after having half changed its state. */
const sums = defineProjection<{ sum: number; types: Record<string, number> }>({
  name: "sums",
  initial: () => ({ sum: 0, types: {} }),
  evolve(state, { type, payload }) {
    const { n = 0, odd } = payload as { n?: number; odd?: boolean };
    state.sum += n;
    if (odd) throw new Error("odd");
    state.types[type] = (state.types[type] ?? 0) + 1;
    return state;
  },
});

const plain = (id: string, n: number): StagedEvent => ({ id, type: n % 2 ? "Added" : "Moved", payload: { n } });
const odd = (id: string): StagedEvent => ({ id, type: "Added", payload: { n: 1_000, odd: true } });
const boom = (id: string): StagedEvent => ({ id, type: "Added", payload: { boom: true } });
const torn = (id: string): StagedEvent => ({ ...plain(id, 0), raw: new Uint8Array([0xff, 0xfe, 0x01]) });
const good = Array.from({ length: 300 }, (_, i) => plain(`a${i % 10}`, i));

let stage: Stage;
let round = 0;
let first: string;
let second: string;

beforeAll(async () => {
  stage = await openStage({
    natsUrl: inject("natsUrl"),
    redisUrl: inject("redisUrl"),
    projection: orderProjection as never,
    otherProjections: [sums as never],
  });
  await stage.addWorkers(2);
});
afterAll(() => stage.close());
beforeEach(async () => {
  first = `${stage.bucket}-order-${round}`;
  second = `${stage.bucket}-sums-${round++}`;
  // A new stream, that begins at sequence 1: runs that go on from entries need all of it.
  await stage.client.jsm.streams.delete(stage.stream);
  await stage.client.jsm.streams.add({ name: stage.stream, subjects: [`${stage.stream}.>`] });
});

const ofSums = { name: "sums", source: "builtin", path: null, sha256: "sums" } as const;
const both = (): Partial<RunSettings> => ({ target: first, otherTargets: [{ target: second, projection: ofSums }] });

/** What each projection gives in a run of its own, under names of its own. */
async function alone(changes: Partial<RunSettings> = {}): Promise<Map<string, string>[]> {
  const entries = [];
  for (const projection of [stage.settings().projection, ofSums]) {
    const target = `${stage.bucket}-alone-${projection.name}-${round++}`;
    const run = await stage.run({ ...changes, target, projection });
    expect(run.reason).toBeNull();
    entries.push(await stage.entries(target));
  }
  return entries;
}

async function together(): Promise<Map<string, string>[]> {
  return [await stage.entries(first), await stage.entries(second)];
}

async function certify(run: RunRecord, level: Level = "full"): Promise<Certificate> {
  const projections = [orderProjection, sums].map((projection, at) => ({
    ref: at === 0 ? run.settings.projection : ofSums,
    projection: compileProjection(projection as unknown as Projection),
  }));
  return certifyRun({
    ...{ client: stage.client, ledger: stage.ctx.ledger, level, projections, toolVersion: "0.0.0" },
    ...(await loadRun(stage.ctx.ledger, run.id)),
    signal: new AbortController().signal,
  });
}

/** As `verify-domain --target` does. */
async function verifyBucket(bucket: string): Promise<Certificate> {
  const evidence = await lastCompletedRun(stage.ctx.ledger, "shop", bucket);
  const isFirst = bucket === first;
  return verifyDomain({
    ...{ client: stage.client, ledger: stage.ctx.ledger, level: "full", bucket, domain: "shop" },
    domainSettings: stage.domainSettings,
    projection: {
      ref: isFirst ? stage.settings().projection : ofSums,
      projection: compileProjection((isFirst ? orderProjection : sums) as unknown as Projection),
    },
    ...{ run: evidence, toolVersion: "0.0.0", signal: new AbortController().signal },
  });
}

describe("two projections in one pass", () => {
  it("give what two runs would, whatever partitions, units, checkpoints and batches", async () => {
    await stage.publish(good);
    const expected = await alone();
    for (const changes of [
      { units: 1 },
      { units: 2, batchSize: 7, checkpointInterval: 20 },
      { parallel: 7, units: 3, checkpointInterval: null },
      { units: 2, bufferMode: "disk", memoryLimitBytes: 2 ** 30 },
      { source: "shuffle", parallel: 4, units: 2, checkpointInterval: 30 },
    ] as const) {
      const run = await stage.run({ ...both(), ...changes });
      expect(run).toMatchObject({ state: "completed", reason: null });
      expect(await together()).toEqual(expected);
      expect(run.summary).toMatchObject({ events: 300, aggregates: 10, entriesWritten: 20 });
      expect(run.summary?.targets).toMatchObject([{ entriesWritten: 10 }, { entriesWritten: 10 }]);
    }
  });

  it("go on from the entries of each target, of which one may be older", async () => {
    await stage.publish(good.slice(0, 200));
    await stage.run({ target: first });
    await stage.publish(good.slice(200, 250));
    await stage.run({ target: second, projection: ofSums });
    await stage.publish(good.slice(250));
    const run = await stage.run({ ...both(), continueFromEntries: true, fromSeq: 1 });
    expect(run).toMatchObject({ state: "completed", reason: null });
    expect(await together()).toEqual(await alone());
    expect((await certify(run)).verdict).toBe("holds");
  });

  it("fail where one target lacks events that the run does not read, and name that target", async () => {
    await stage.publish(good.slice(0, 200));
    await stage.run({ target: first });
    await stage.publish(good.slice(200));
    const run = await stage.run({ ...both(), continueFromEntries: true, fromSeq: 201 });
    expect(run.state).toBe("failed");
    expect(run.reason).toContain(`of bucket ${second}: the server's subject index has`);
  });
});

describe("an event that one of two projections refuses", () => {
  beforeEach(async () => {
    await stage.publish([...good.slice(0, 100), odd("a1"), ...good.slice(100, 200), torn("a2"), boom("a3")]);
    await stage.publish(good.slice(200));
  });

  const kept = async (runId: string, target?: string) => {
    const store = await QuarantineStore.open(stage.client, { create: false });
    const found: string[] = [];
    for await (const event of store?.list(runId, target) ?? []) {
      found.push(`${event.kind} ${event.aggregateId} ${event.projection} ${event.target}`);
    }
    return found.sort();
  };

  it("parks its aggregate there and nowhere else; what cannot be decoded parks it everywhere", async () => {
    const run = await stage.run({ ...both(), units: 2 });
    expect(run.state).toBe("failed");
    expect(run.reason).toContain(`order into ${first}: 2 events cannot be taken`);
    expect(run.reason).toContain(`sums into ${second}: 2 events cannot be taken`);
    const [order, sum] = await together();
    expect([order?.has("shop.a1"), order?.has("shop.a2"), order?.has("shop.a3")]).toEqual([true, false, false]);
    expect([sum?.has("shop.a1"), sum?.has("shop.a2"), sum?.has("shop.a3")]).toEqual([false, false, true]);
    expect(await kept(run.id)).toEqual([
      `decode a2 order ${first}`,
      `decode a2 sums ${second}`,
      `evolve a1 sums ${second}`,
      `evolve a3 order ${first}`,
    ]);
    expect(await kept(run.id, first)).toEqual([`decode a2 order ${first}`, `evolve a3 order ${first}`]);
  });

  it("is skipped there alone, without a trace of what it had half changed, and the certificate holds", async () => {
    for (const checkpointInterval of [null, 20]) {
      const run = await stage.run({ ...both(), skipErrors: 2, units: 2, checkpointInterval });
      expect(run).toMatchObject({ state: "completed", reason: null });
      expect(run.summary).toMatchObject({ quarantined: 4, targets: [{ quarantined: 2 }, { quarantined: 2 }] });
      expect(await together()).toEqual(await alone({ skipErrors: 2 }));
      const certificate = await certify(run);
      expect(certificate).toMatchObject({ verdict: "holds", leftOut: { total: 2 } });
      expect(certificate.otherTargets).toMatchObject([{ verdict: "holds", leftOut: { total: 2 } }]);
    }
  });

  it("counts against --skip-errors of its own target", async () => {
    await stage.publish([odd("a4"), odd("a5")]);
    const run = await stage.run({ ...both(), skipErrors: 2, units: 2 });
    expect(run.state).toBe("failed");
    expect(run.reason).toContain("--skip-errors 4");
    const resumed = await stage.drive(await takeOverRun(stage.ctx, run.id, { skipErrors: 4 }));
    expect(resumed).toMatchObject({ state: "completed", reason: null });
    expect(await together()).toEqual(await alone({ skipErrors: 4 }));
  });
});

describe("the certificate of two targets", () => {
  it("holds, speaks of each by itself, and is read back as it was written", async () => {
    await stage.publish(good);
    const run = await stage.run(both());
    const { plan } = await loadRun(stage.ctx.ledger, run.id);
    for (const level of ["counts", "content", "full"] as const) {
      const certificate = await certify(run, level);
      expect(certificate).toMatchObject({ verdict: "holds", bucket: first, runId: run.id });
      expect(certificate.otherTargets).toMatchObject([{ verdict: "holds", bucket: second }]);
      expect(parseCertificate(certificateText(certificate))).toEqual(certificate);
      expect(plan.otherTargets).toMatchObject([{ bucket: second }]);
    }
    for (const bucket of [first, second]) expect((await verifyBucket(bucket)).verdict).toBe("holds");
  });

  it("fails by what was done to either of them, and names its entry", async () => {
    await stage.publish(good);
    const run = await stage.run(both());
    for (const bucket of [second, first]) {
      const key = "shop.a4";
      const entry = await getEntry(stage.client, bucket, key);
      const value = Buffer.from(entry?.value ?? []).toString();
      // With what the true one says of itself: only its bytes tell.
      await putAs(stage, bucket, { key, value: value.replace(/\d+/, "77777"), from: key });
      const certificate = await certify(run);
      const part = bucket === first ? certificate : certificate.otherTargets?.[0];
      expect(certificate.verdict).toBe("fails");
      expect(part?.verdict).toBe("fails");
      expect(part?.discrepancies.first.some((found) => found.key === key && found.kind === "altered")).toBe(true);
      const [good, bad] = bucket === first ? [second, first] : [first, second];
      expect((await verifyBucket(bad)).verdict).toBe("fails");
      expect((await verifyBucket(good)).verdict).toBe("holds");
      await putAs(stage, bucket, { key, value, from: key });
      // Whoever looks later judges what is there by its value.
      expect((await verifyBucket(bad)).verdict).toBe("holds");
      await stage.run(both());
    }
  });

  it("fails where the ledger's record of either was changed", async () => {
    await stage.publish(good);
    const run = await stage.run(both());
    const evidence = await loadRun(stage.ctx.ledger, run.id);
    const units = evidence.units.map((unit) => ({
      ...unit,
      otherTargets: unit.otherTargets.map((figures) => ({
        ...figures,
        entriesByPartition: figures.entriesByPartition.map((digest) => ({ ...digest, sha256: "00".repeat(32) })),
      })),
    }));
    const certificate = await certifyRun({
      ...{ client: stage.client, ledger: stage.ctx.ledger, level: "counts", projections: [], toolVersion: "0.0.0" },
      ...{ ...evidence, units, signal: new AbortController().signal },
    });
    expect(certificate.checks.readBack.verdict).toBe("holds");
    expect(certificate.otherTargets?.[0]?.checks.readBack.verdict).toBe("fails");
    expect(certificate.verdict).toBe("fails");
  });

  it("cannot be edited into one that holds", async () => {
    await stage.publish(good);
    const run = await stage.run(both());
    await stage.client.js.publish(`$KV.${second}.shop.a4`, "{}");
    const certificate = await certify(run);
    const [other] = certificate.otherTargets ?? [];
    if (!other) throw new Error("it speaks of one target only");
    const whitewashed = { ...certificate, otherTargets: [{ ...other, verdict: "holds" as const }] };
    expect(() => parseCertificate(certificateText(whitewashed))).toThrow(/verdict/);
    expect(() => parseCertificate(certificateText({ ...certificate, verdict: "holds" }))).toThrow(/verdict/);
  });
});

describe("each target", () => {
  it("has orphans of its own, which --prune removes where they are some", async () => {
    await stage.publish(good);
    await stage.run(both());
    await stage.client.js.publish(`$KV.${second}.shop.leftover`, "{}");
    const kept = await stage.run(both());
    expect(kept.summary?.targets).toMatchObject([{ orphans: 0 }, { orphans: 1, pruned: 0 }]);
    expect(kept.summary?.findings.join()).toContain(
      `entries in ${second} that no event accounts for, kept (shop.leftover)`,
    );
    const pruned = await stage.run({ ...both(), prune: true });
    expect(pruned.summary).toMatchObject({ orphans: 1, pruned: 1, targets: [{ pruned: 0 }, { pruned: 1 }] });
    expect([...((await together())[1] ?? [])].length).toBe(10);
  });

  it("is found by whoever looks for the runs of its bucket", async () => {
    await stage.publish(good);
    const run = await stage.run(both());
    const evidence = await lastCompletedRun(stage.ctx.ledger, "shop", second);
    expect(evidence?.run).toMatchObject({ id: run.id, settings: { target: second, projection: ofSums } });
    expect(eachTarget(run)).toHaveLength(2);
    const later = await stage.run({ target: second, projection: ofSums });
    expect((await lastCompletedRun(stage.ctx.ledger, "shop", second))?.run.id).toBe(later.id);
    expect((await lastCompletedRun(stage.ctx.ledger, "shop", first))?.run.id).toBe(run.id);
  });
});
