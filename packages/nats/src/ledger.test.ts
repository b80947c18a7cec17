import { type Lease, moveRun, newUnitRecord, type Plan, type RunRecord } from "@cim-replay/core";
import { planOf, runOf, startNats, uniqueName } from "@cim-replay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connectNats, type NatsClient } from "./connect.ts";
import { keySubject } from "./kv-layout.ts";
import { Ledger } from "./ledger.ts";

function runRecord(id: string, createdAt = "2026-01-01T00:00:00.000Z"): RunRecord {
  return runOf(id, { state: "planned", createdAt });
}

function planWith(runId: string, partitions = 1): Plan {
  return planOf(runId, {
    partitions: Array.from({ length: partitions }, (_, index) => ({
      index,
      fromKey: `aggregate-${index}-0123456789012345678901234567890123456789`,
      toKey: null,
      expected: { minEvents: 1, maxEvents: 1, aggregates: 1 },
    })),
    units: [{ id: "u1", partitions: [0] }],
  });
}

const lease: Lease = { version: 1, runId: "r", coordinatorId: "c", renewal: 0, ttlMs: 1000 };

let nats: Awaited<ReturnType<typeof startNats>>;
let client: NatsClient;
let bucket: string;

beforeAll(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
});
afterAll(async () => {
  await client.close();
  await nats.stop();
});
beforeEach(() => {
  bucket = uniqueName("LEDGER");
});

async function openLedger(): Promise<Ledger> {
  const ledger = await Ledger.open(client, { create: true, bucket });
  if (!ledger) throw new Error("no ledger");
  return ledger;
}

describe("Ledger", () => {
  it("is null where there is none and none shall be made", async () => {
    expect(await Ledger.open(client, { bucket })).toBeNull();
    await openLedger();
    expect(await Ledger.open(client, { bucket })).not.toBeNull();
  });

  it("gives back run, plan and units as they were written", async () => {
    const ledger = await openLedger();
    const units = ["u2", "u10", "u1"].map((id) => newUnitRecord("a.b c", id, 2, 1));
    await ledger.createRun(runRecord("a.b c"), planWith("a.b c"), units);
    expect((await ledger.getRun("a.b c"))?.record).toEqual(runRecord("a.b c"));
    expect(await ledger.getPlan("a.b c")).toEqual(planWith("a.b c"));
    expect((await ledger.listUnits("a.b c")).map(({ record }) => record.id)).toEqual(["u1", "u2", "u10"]);
    expect(await ledger.getRun("other")).toBeNull();
    expect(await ledger.getPlan("other")).toBeNull();
    expect(await ledger.getUnit("a", "b")).toBeNull();
    expect(await ledger.listUnits("a")).toEqual([]);
  });

  it("refuses a run id that is taken", async () => {
    const ledger = await openLedger();
    await ledger.createRun(runRecord("r"), planWith("r"), []);
    await expect(ledger.createRun(runRecord("r"), planWith("r"), [])).rejects.toThrow(/run r: the ledger has plan\.r/);
  });

  it("keeps a run's newest certificate, whatever JSON it is", async () => {
    const ledger = await openLedger();
    expect(await ledger.getCertificate("a.b c")).toBeNull();
    await ledger.putCertificate("a.b c", { verdict: "fails", many: "x".repeat(2_000_000) });
    await ledger.putCertificate("a.b c", { verdict: "holds" });
    expect(await ledger.getCertificate("a.b c")).toEqual({ verdict: "holds" });
    expect(await ledger.listRuns()).toEqual([]);
  });

  it("keeps a plan whose JSON is larger than the server takes", async () => {
    const ledger = await openLedger();
    const plan = planWith("large", 12_000);
    expect(JSON.stringify(plan).length).toBeGreaterThan(1024 * 1024);
    await ledger.createRun(runRecord("large"), plan, []);
    expect(await ledger.getPlan("large")).toEqual(plan);
  });

  it("lets one of two writers of the same revision win", async () => {
    const ledger = await openLedger();
    await ledger.createRun(runRecord("r"), planWith("r"), [newUnitRecord("r", "u", 1, 1)]);
    const unit = await ledger.getUnit("r", "u");
    if (!unit) throw new Error("no unit");
    const written = await Promise.all(
      Array.from({ length: 20 }, (_, i) => ledger.putUnit({ ...unit.record, heartbeat: i }, unit.revision)),
    );
    const winners = written.flatMap((revision, i) => (revision === null ? [] : [{ revision, i }]));
    expect(winners).toHaveLength(1);
    const now = await ledger.getUnit("r", "u");
    expect({ revision: now?.revision, i: now?.record.heartbeat }).toEqual(winners[0]);
  });

  it("loses no change of many made at once", async () => {
    const ledger = await openLedger();
    await ledger.createRun(runRecord("r"), planWith("r"), []);
    const step = () =>
      ledger.changeRun("r", (run) => ({ ...run, coordinator: { ...run.coordinator, pid: run.coordinator.pid + 1 } }));
    await Promise.all(Array.from({ length: 25 }, step));
    expect((await ledger.getRun("r"))?.record.coordinator.pid).toBe(26);
  });

  it("leaves a run alone where the change says so or throws", async () => {
    const ledger = await openLedger();
    await ledger.createRun(runRecord("r"), planWith("r"), []);
    const before = await ledger.getRun("r");
    expect((await ledger.changeRun("r", () => null)).state).toBe("planned");
    await expect(ledger.changeRun("r", (run) => moveRun(run, "completed"))).rejects.toThrow(/no such step/);
    expect(await ledger.getRun("r")).toEqual(before);
    await expect(ledger.changeRun("none", () => null)).rejects.toThrow(/no such run/);
  });

  it("lists 300 runs, newest first", async () => {
    const ledger = await openLedger();
    const ids = Array.from({ length: 300 }, (_, i) => `run-${i}`);
    await Promise.all(
      ids.map((id, i) => ledger.createRun(runRecord(id, new Date(i * 1000).toISOString()), planWith(id), [])),
    );
    expect((await ledger.listRuns()).map((run) => run.id)).toEqual(ids.reverse());
  });

  it("names the key and the first problem of a record that does not fit", async () => {
    const ledger = await openLedger();
    await client.js.publish(keySubject(bucket, "run.bad"), JSON.stringify({ ...runRecord("bad"), state: "dreaming" }));
    await client.js.publish(keySubject(bucket, "run.torn"), "{");
    await expect(ledger.getRun("bad")).rejects.toThrow(/ledger record run\.bad: state: /);
    await expect(ledger.getRun("torn")).rejects.toThrow(/ledger record run\.torn: it is no JSON/);
    await expect(ledger.listRuns()).rejects.toThrow(/run\.(bad|torn)/);
  });

  it("gives a lease to one only, and again after its release", async () => {
    const ledger = await openLedger();
    const taken = await Promise.all([0, 1, 2].map(() => ledger.takeLease("graph", "T", lease, null)));
    const revision = taken.find((each) => each !== null);
    expect(taken.filter((each) => each !== null)).toHaveLength(1);
    if (!revision) throw new Error("nobody has it");
    const renewed = await ledger.renewLease("graph", "T", { ...lease, renewal: 1 }, revision);
    expect(await ledger.renewLease("graph", "T", lease, revision)).toBeNull();
    await ledger.releaseLease("graph", "T", revision);
    expect((await ledger.getLease("graph", "T"))?.revision).toBe(renewed);
    await ledger.releaseLease("graph", "T", renewed ?? 0);
    expect(await ledger.getLease("graph", "T")).toBeNull();
    const again = await ledger.takeLease("graph", "T", lease, null);
    expect(again).not.toBeNull();
    expect(await ledger.takeLease("graph", "T", { ...lease, runId: "other" }, again)).not.toBeNull();
  });
});
