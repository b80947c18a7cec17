import { setTimeout as sleep } from "node:timers/promises";
import { cancelRun, driveRun } from "@cim-replay/coordinator";
import { type Projection, silentLog } from "@cim-replay/core";
import { expect, inject, test } from "vitest";
import { openStage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const projection: Projection<never> = { name: "none", initial: () => ({}) as never, evolve: (state) => state };

test("a run that nobody works at is told to be stalled, once, with what is wrong and where to look", async () => {
  const warnings: unknown[] = [];
  const log = { ...silentLog, warn: (facts: object) => void warnings.push(facts) };
  const stage = await openStage({ natsUrl: inject("natsUrl"), redisUrl: inject("redisUrl"), projection, log });
  try {
    await stage.publish([{ id: "a", type: "Added", payload: {} }]);
    const held = await stage.start();
    const { id } = held.record;
    const stalls: string[] = [];
    const driven = driveRun(stage.ctx, held, {
      ...{ pool: null, localWorkers: 0, checkpointDir: null, certify: null, onProgress: () => undefined },
      onStall: (text) => stalls.push(text),
      stalledAfterMs: 500,
      signal: new AbortController().signal,
    });
    await until(() => stalls.length > 0, "a stall");
    await sleep(1_500);
    await cancelRun(stage.ctx.ledger, id, "test");
    expect((await driven).state).toBe("cancelled");
    expect(stalls).toHaveLength(1);
    expect(stalls[0]).toMatch(
      /^Run \S+ has made no progress for 500 ms\. No worker is connected while unit u0 is pending/,
    );
    expect(stalls[0]).toContain(`debug-replay --run ${id} --show-locks`);
    expect(warnings).toContainEqual(
      expect.objectContaining({ run: id, diagnosis: expect.stringContaining("No worker is connected") }),
    );
  } finally {
    await stage.close();
  }
});
