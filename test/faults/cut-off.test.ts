import { setTimeout as sleep } from "node:timers/promises";
import { Wire } from "@cim-replay/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FaultStage } from "../support/fault-stage.ts";

/** Longer than the queue's lock and the clients' patience with a silent connection. */
const CUT_MS = 12_000;

interface Wires {
  readonly nats: Wire;
  readonly redis: Wire;
}

describe("one of those who take part is cut off from the servers: neither side is told", { timeout: 120_000 }, () => {
  let stage: FaultStage;
  let wires: Wires;

  beforeEach(async () => {
    stage = await FaultStage.open();
    wires = {
      nats: await Wire.lay(Number(new URL(stage.nats.url).port)),
      redis: await Wire.lay(Number(new URL(stage.redis.url).port)),
    };
  });
  afterEach(async () => {
    for (const wire of [wires.nats, wires.redis]) wire.revive();
    await stage.close();
    await Promise.all([wires.nats.close(), wires.redis.close()]);
  });

  /** What is started from now on reaches the servers by the wires, or again directly. */
  const byWire = (isWired: boolean) => {
    const through = (url: string, { port }: Wire) => Object.assign(new URL(url), { port: String(port) }).href;
    stage.moreEnv = isWired
      ? { NATS_URL: through(stage.nats.url, wires.nats), REDIS_URL: through(stage.redis.url, wires.redis) }
      : {};
  };

  const expectRight = async () => {
    expect((await stage.run()).state).toBe("completed");
    expect(await stage.entries()).toEqual(stage.expected);
  };

  it.each([
    ["the worker from NATS", "worker", ["nats"]],
    ["the worker from Redis", "worker", ["redis"]],
    ["the worker from both", "worker", ["nats", "redis"]],
    ["the command from NATS", "command", ["nats"]],
    ["the command from Redis", "command", ["redis"]],
    ["the command from both", "command", ["nats", "redis"]],
  ] as const)("for some seconds, %s: the run goes on afterwards, and ends with the same bytes", async (_, who, cut) => {
    byWire(who === "worker");
    await stage.worker();
    byWire(who === "command");
    const replay = stage.replay("--local-workers", "0");
    await stage.unit(({ cursorSeq }) => cursorSeq > 800);
    for (const to of cut) wires[to].die();
    await sleep(CUT_MS);
    // Without Redis what is in hands can be ended; without NATS nothing is.
    if (cut[0] === "nats") expect((await stage.run()).state, stage.said).toBe("running");
    for (const to of cut) wires[to].revive();
    expect(await replay.exited, stage.said).toBe(0);
    await expectRight();
  });

  it("a worker, for good: another takes its unit, and what it still sends once it is heard again changes nothing", async () => {
    byWire(true);
    const lost = await stage.worker();
    byWire(false);
    const replay = stage.replay("--local-workers", "0");
    const unit = await stage.unit(({ cursorSeq, epoch }) => cursorSeq > 800 && epoch === 1);
    for (const wire of [wires.nats, wires.redis]) wire.die();
    await stage.worker();
    expect(await replay.exited, stage.said).toBe(0);
    await expectRight();
    const before = await stage.provenances();
    expect(new Set([...before.values()].map(({ epoch }) => epoch))).not.toContain(unit.epoch);
    for (const wire of [wires.nats, wires.redis]) wire.revive();
    await lost.says(/epoch 1 is superseded/, 20_000);
    expect(await stage.provenances()).toEqual(before);
    expect(lost.isRunning).toBe(true);
  });
});
