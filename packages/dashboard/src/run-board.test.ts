import { newUnitRecord } from "@cim-replay/core";
import { connectNats, Ledger, type NatsClient } from "@cim-replay/nats";
import { planOf, runOf, type ServerHandle, startNats } from "@cim-replay/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RunWatch } from "./ports.ts";
import { RunBoard } from "./run-board.ts";

let nats: ServerHandle;
let client: NatsClient;
let ledger: Ledger;
let board: RunBoard;
const open = new Set<string>();

beforeEach(async () => {
  nats = await startNats();
  client = await connectNats({ url: nats.url, name: "test" });
  const made = await Ledger.open(client, { create: true });
  if (made === null) throw new Error("no ledger");
  ledger = made;
  open.clear();
  board = new RunBoard(client, watch);
  await board.start();
});
afterEach(async () => {
  await board.close();
  await client.close();
  await nats.stop();
});

function watch(runId: string): RunWatch {
  open.add(runId);
  return {
    async look() {
      const [run, plan, units] = await Promise.all([
        ledger.getRun(runId),
        ledger.getPlan(runId),
        ledger.listUnits(runId),
      ]);
      if (!run || !plan) throw new Error(`no ${runId}`);
      const records = units.map(({ record }) => record);
      const figures = {
        ...{ run: run.record, plan, slices: null, totalEvents: 9, durableEvents: 0, readEvents: 0, eventsPerSecond: 0 },
        ...{ lagSeconds: null, etaSeconds: null, entriesWritten: 0, entriesTotal: null, workers: 0, memoryBytes: 0 },
        ...{ checkpoints: 0, hot: null, errors: records.reduce((sum, unit) => sum + unit.counts.quarantined, 0) },
      };
      return { figures, units: records, isAbandoned: false };
    },
    close: () => open.delete(runId),
  };
}

async function begin(id: string): Promise<void> {
  await ledger.createRun(runOf(id), planOf(id), [newUnitRecord(id, "u0", 1, 1)]);
  await expect
    .poll(() => board.list().find(({ run }) => run.id === id)?.latest?.figures.run.state, {
      timeout: 10_000,
    })
    .toBe("running");
}

test("a run's last figures are those of its end", async () => {
  await begin("r");
  const unit = await ledger.getUnit("r", "u0");
  if (unit === null) throw new Error("no unit");
  const { record, revision } = unit;
  await ledger.putUnit({ ...record, counts: { ...record.counts, quarantined: 3 } }, revision);
  await ledger.changeRun("r", (run) => ({ ...run, state: "failed" }));
  const latest = () => board.list()[0]?.latest?.figures;
  await expect.poll(() => [latest()?.run.state, latest()?.errors], { timeout: 10_000 }).toEqual(["failed", 3]);
});

test("of runs that have ended, only some are kept in memory", async () => {
  const ids = Array.from({ length: 60 }, (_, i) => `r${i}`);
  await Promise.all(ids.map(begin));
  expect(open.size).toBe(60);
  for (const id of ids) await ledger.changeRun(id, (run) => ({ ...run, state: "cancelled" }));
  await expect.poll(() => open.size, { timeout: 10_000 }).toBe(50);
  expect(board.list()).toHaveLength(60);
});

test("a server that is away is said at once, and does not keep anybody who wants to end", async () => {
  await begin("r");
  expect(board.trouble).toBeNull();
  await nats.kill();
  await expect.poll(() => board.trouble, { timeout: 3_000 }).toBe("NATS does not answer.");
  expect(board.list()).toHaveLength(1);
  const began = performance.now();
  await board.close();
  expect(performance.now() - began).toBeLessThan(2_000);
});
