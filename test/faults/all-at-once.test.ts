import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { FaultStage } from "../support/fault-stage.ts";
import { seededRandom } from "../support/seeded-random.ts";

const FAULTS = 7;

describe("a run under one fault after another", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  const faults: Record<string, () => Promise<unknown>> = {
    "kill a worker": async () => {
      const [pid] = stage.workerPids();
      if (pid !== undefined) process.kill(pid, "SIGKILL");
    },
    "stop a worker for a moment": async () => {
      const [, pid] = stage.workerPids();
      if (pid === undefined) return;
      process.kill(pid, "SIGSTOP");
      await sleep(1_000);
      process.kill(pid, "SIGCONT");
    },
    "empty Redis": () => stage.redis.flushAll(),
    "kill Redis": async () => {
      await stage.redis.kill();
      await stage.redis.restart();
    },
    "kill nats-server": async () => {
      await stage.nats.kill();
      await stage.nats.restart();
    },
  };

  it.each([
    ["direct", 1],
    ["direct", 2],
    ["shuffle", 1],
    ["shuffle", 2],
  ] as const)("ends with the same bytes (%s, order %i)", async (source, seed) => {
    stage = await FaultStage.open({ events: 5_000, aggregates: 1_000, eventMicros: 1_200, entryMicros: 2_000 });
    const random = seededRandom(seed);
    const replay = stage.replay("--units", "2", "--checkpoint-interval", "100", "--source", source);
    await stage.unit(({ cursorSeq }) => cursorSeq > 0);
    const done: string[] = [];
    for (let i = 0; i < FAULTS && replay.isRunning; i++) {
      await sleep(random() * 700);
      const names = Object.keys(faults);
      const name = names[Math.floor(random() * names.length)] ?? "";
      done.push(name);
      await faults[name]?.();
    }
    const said = () => `${done.join(", ")}\n${stage.said}`;
    expect(await replay.exited, said()).toBe(0);
    expect(await stage.entries(), said()).toEqual(stage.expected);
  });
});
