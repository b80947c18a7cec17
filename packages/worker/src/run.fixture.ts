import { newUnitRecord, type Plan, type UnitRecord } from "@cim-replay/core";
import { Ledger, type NatsClient } from "@cim-replay/nats";
import { planOf, runOf, uniqueName } from "@cim-replay/testkit";

/** A running run with one unit, `u0`, in the ledger. */
export async function startRunWith(client: NatsClient, plan: Partial<Plan> = {}, unit: Partial<UnitRecord> = {}) {
  const ledger = await Ledger.open(client, { create: true });
  if (!ledger) throw new Error("no ledger");
  const runId = uniqueName("run");
  await ledger.createRun(runOf(runId), planOf(runId, plan), [{ ...newUnitRecord(runId, "u0", 1, 1), ...unit }]);
  return { ledger, runId, job: { runId, unit: "u0" }, plan: planOf(runId, plan) };
}
