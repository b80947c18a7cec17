import { certifier } from "@cim-replay/cli";
import type { CertifyRun } from "@cim-replay/coordinator";
import { connectNats, deleteEntry, getEntry } from "@cim-replay/nats";
import { certificateSchema } from "@cim-replay/verifier";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import type { Stage } from "../support/stage.ts";
import { events, openVerifyStage } from "../support/verify-stage.ts";

let stage: Stage;
let ask: CertifyRun;
const notes: string[] = [];

beforeAll(async () => {
  stage = await openVerifyStage();
  await stage.publish(events(400, 20));
  ask = certifier(() => connectNats({ url: inject("natsUrl"), name: "verifier" }), stage.ctx.ledger, "content", {
    counted: null,
    note: (line) => notes.push(line),
  }) as CertifyRun;
});
afterAll(() => stage.close());

async function drive(target: string, certify: CertifyRun) {
  return stage.drive(await stage.start({ target, parallel: 4, units: 2 }), undefined, certify);
}

test("a run is completed with a certificate that holds, and the ledger keeps it", async () => {
  const run = await drive(`${stage.bucket}-good`, ask);
  expect(run).toMatchObject({ state: "completed", reason: null });
  expect(run.summary?.certificate).toEqual({ level: "content", holds: true, discrepancies: 0 });
  const kept = certificateSchema.parse(await stage.ctx.ledger.getCertificate(run.id));
  expect(kept).toMatchObject({ runId: run.id, level: "content", verdict: "holds" });
  expect(kept.checks.content).toMatchObject({ verdict: "holds", evidence: { messages: 400 } });
});

test("a certificate that takes a while says how far it is", async () => {
  const now = performance.now.bind(performance);
  const run = await drive(`${stage.bucket}-slow`, async (...of) => {
    let looks = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now() + 1_000 * looks++);
    return ask(...of).finally(() => vi.restoreAllMocks());
  });
  expect(run.state).toBe("completed");
  expect(notes).toContainEqual(expect.stringMatching(/^certificate: (entries|sequences) read: \d+/));
});

test("a run whose certificate does not hold ends failed, naming what is wrong, and the ledger keeps that too", async () => {
  const target = `${stage.bucket}-bad`;
  let lost = "";
  const run = await drive(target, async (record, plan, units, signal) => {
    lost = [...(await stage.entries(target)).keys()][7] ?? "";
    const entry = await getEntry(stage.client, target, lost);
    await deleteEntry(stage.client, target, lost, entry?.revision ?? 0);
    return ask(record, plan, units, signal);
  });
  expect(run.state).toBe("failed");
  expect(run.reason).toContain("The run is not proved: ");
  expect(run.reason).toContain(lost);
  expect(run.summary?.certificate).toMatchObject({ level: "content", holds: false });
  const kept = certificateSchema.parse(await stage.ctx.ledger.getCertificate(run.id));
  expect(kept.verdict).toBe("fails");
  expect(kept.discrepancies.first.some(({ kind, key }) => kind === "missing" && key === lost)).toBe(true);
});

test("a run that is to prune removes nothing before it is proved, and then what no event accounts for", async () => {
  const target = `${stage.bucket}-prune`;
  await drive(target, ask);
  await stage.client.js.publish(`$KV.${target}.shop.orphan`, "{}");
  const start = () => stage.start({ target, prune: true });
  const unproved = await stage.drive(await start(), undefined, async (record, plan, units, signal) => {
    return { ...(await ask(record, plan, units, signal)), holds: false, reason: "nobody believes it" };
  });
  expect(unproved).toMatchObject({ state: "failed", reason: "nobody believes it" });
  expect(await stage.entries(target)).toContainEqual(["shop.orphan", "{}"]);
  const proved = await stage.drive(await start(), undefined, ask);
  expect(proved).toMatchObject({ state: "completed", summary: { pruned: 1, certificate: { holds: true } } });
  expect([...(await stage.entries(target)).keys()]).not.toContain("shop.orphan");
});
