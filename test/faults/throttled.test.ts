import { setTimeout as sleep } from "node:timers/promises";
import { AckPolicy, DeliverPolicy } from "@nats-io/jetstream";
import { readAllMessages } from "@cim-replay/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { FaultStage } from "../support/fault-stage.ts";
import { until } from "../support/until.ts";

const EVENTS = 6_000;
/** Of the four seconds that a quarter of the events a second takes: a unit makes up for 250 ms of its own. */
const LEAST_SECONDS = 3.5;
/** Two have the whole rate each until they hear of each other. Without sharing it they would need two seconds. */
const LEAST_SECONDS_OF_TWO = 3;

/** From the first claim of a unit to the end of the last, by what workers log: a busy machine's slow starts are not the rate's. */
function secondsAtWork(stage: FaultStage): number {
  const moments = [...stage.said.matchAll(/"time":"([^"]+)".*"msg":"unit (?:claimed|finished)"/g)].map(([, at = ""]) =>
    Date.parse(at),
  );
  expect(moments.length).toBeGreaterThan(1);
  return (Math.max(...moments) - Math.min(...moments)) / 1_000;
}

describe("a run with a limit on its rate", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  const done = async (name: string, ...args: string[]) => {
    const started = stage.start(name, args);
    expect(await started.exited, stage.said).toBe(0);
    return started.stdout;
  };

  it.each([1, 2])("keeps to it with %i workers together, and ends byte-equal", async (workers) => {
    stage = await FaultStage.open({ events: EVENTS, eventMicros: 0 });
    const replay = stage.replay("--max-rate", "1500", "--units", String(workers), "--local-workers", String(workers));
    expect(await replay.exited, stage.said).toBe(0);
    const seconds = secondsAtWork(stage);
    expect(seconds).toBeGreaterThan(workers === 1 ? LEAST_SECONDS : LEAST_SECONDS_OF_TWO);
    expect(seconds).toBeLessThan(4 * 1.3 + 1.5);
    expect(await stage.entries()).toEqual(stage.expected);
  });

  it("keeps to bytes too", async () => {
    stage = await FaultStage.open({ events: EVENTS, eventMicros: 0 });
    let bytes = 0;
    for await (const { data } of readAllMessages(stage.client, "EVENTS")) bytes += data.byteLength;
    const replay = stage.replay("--max-bytes-rate", String(Math.round(bytes / 4)));
    expect(await replay.exited, stage.said).toBe(0);
    expect(secondsAtWork(stage)).toBeGreaterThan(LEAST_SECONDS);
    expect(secondsAtWork(stage)).toBeLessThan(4 * 1.3 + 1.5);
    expect(await stage.entries()).toEqual(stage.expected);
  });

  it("goes faster as soon as tune-replay lets it, which status and audit log show", async () => {
    stage = await FaultStage.open({ events: EVENTS, eventMicros: 0 });
    const replay = stage.replay("--max-rate", "200");
    await stage.unit(({ live }) => live.delivered > 100);
    expect(await done("replay-status")).toContain("at most 200 events/s");
    expect(await done("tune-replay", "--max-rate", "none", "--max-bytes-rate", "100M")).toContain("at most 100 MiB/s");
    expect(await replay.exited, stage.said).toBe(0);
    expect(secondsAtWork(stage)).toBeLessThan(EVENTS / 200 / 2);
    expect(await done("audit-log")).toMatch(/tune-replay +done .* at most 100 MiB\/s/);
    expect(await stage.entries()).toEqual(stage.expected);
  });

  it("is slowed while it runs, and keeps the new rate when it is resumed", async () => {
    stage = await FaultStage.open({ events: EVENTS, eventMicros: 0 });
    const replay = stage.replay("--max-rate", "1000", "--checkpoint-interval", "500");
    await stage.unit(({ live }) => live.delivered > 500);
    await done("tune-replay", "--max-rate", "300");
    await stage.unit(({ cursorSeq }) => cursorSeq > 1_000);
    replay.kill("SIGINT");
    expect(await replay.exited, stage.said).toBe(130);
    expect((await stage.run()).settings.maxRate).toBe(300);
    const resumed = stage.start("event-replay", ["--resume", "--max-rate", "none"]);
    expect(await resumed.exited, stage.said).toBe(0);
    expect((await stage.run()).settings.maxRate).toBeNull();
    expect(await stage.entries()).toEqual(stage.expected);
  });
});

/** Somebody's consumer on the replay's machine: the faster the replay goes, the less there is left for it. */
class LiveConsumer {
  readonly #stage: FaultStage;
  readonly #stopped = new AbortController();
  readonly #working: Promise<void>;
  fastest = 0;
  rate = 0;

  constructor(stage: FaultStage) {
    this.#stage = stage;
    this.#working = Promise.all([this.#publish(), this.#take(), this.#watch()]).then(() => undefined);
  }

  static async start(stage: FaultStage): Promise<LiveConsumer> {
    await stage.client.jsm.consumers.add("EVENTS", {
      ...{ durable_name: "ORDERS", filter_subject: "events.live.>", ack_policy: AckPolicy.Explicit },
      ...{ deliver_policy: DeliverPolicy.New, max_ack_pending: 100_000 },
    });
    return new LiveConsumer(stage);
  }

  async pending(): Promise<number> {
    const { num_pending, num_ack_pending } = await this.#stage.client.jsm.consumers.info("EVENTS", "ORDERS");
    return num_pending + num_ack_pending;
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#working;
  }

  #every(ms: number, work: () => Promise<unknown>): Promise<void> {
    return (async () => {
      while (!this.#stopped.signal.aborted) {
        await work();
        await sleep(ms, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
      }
    })();
  }

  #publish(): Promise<void> {
    const { js } = this.#stage.client;
    return this.#every(100, () =>
      Promise.all(Array.from({ length: 20 }, () => js.publish("events.live.a.Made", "{}"))),
    );
  }

  async #take(): Promise<void> {
    const consumer = await this.#stage.client.js.consumers.get("EVENTS", "ORDERS");
    await this.#every(100, async () => {
      const isHindered = this.rate > this.fastest * 0.6;
      for await (const message of await consumer.fetch({ max_messages: isHindered ? 2 : 100, expires: 1_000 }))
        message.ack();
    });
  }

  /** The replay's rate, by what its units tell the ledger. */
  #watch(): Promise<void> {
    let before = { events: 0, at: performance.now() };
    return this.#every(1_000, async () => {
      const units = (await this.#stage.ledger.listRuns())[0] ? await this.#stage.units() : [];
      const now = { events: units.reduce((sum, { live }) => sum + live.delivered, 0), at: performance.now() };
      this.rate = ((now.events - before.events) / (now.at - before.at)) * 1_000;
      this.fastest = Math.max(this.fastest, this.rate);
      before = now;
    });
  }
}

describe("a run whose rate adapts", () => {
  it("leaves a live consumer alone that it made fall behind, and says so, until it is told not to", async () => {
    await using closing = await closingOf(FaultStage.open({ events: 30_000, eventMicros: 1_000 }));
    const stage = closing.of;
    const consumer = await LiveConsumer.start(stage);
    try {
      const replay = stage.replay("--adaptive-rate", "--prefetch", "200");
      const slowed = await until(
        async () => {
          const { adaptive } = await stage.run();
          return adaptive?.maxRate ? adaptive : null;
        },
        () => `the rate to adapt. ${stage.said}`,
        60_000,
      );
      const [, most = 0] = /consumer ORDERS falls behind: (\d+) messages wait for it/.exec(slowed.reason ?? "") ?? [];
      expect(Number(most)).toBeGreaterThan(100);
      const status = stage.start("replay-status");
      expect(await status.exited, stage.said).toBe(0);
      expect(status.stdout).toMatch(/at most [\d,]+ events\/s, adaptive: consumer ORDERS falls behind/);
      await until(
        async () => (await consumer.pending()) < Number(most) / 4,
        () => `its pending to fall from ${most}`,
        60_000,
      );
      expect((await stage.run()).state).toBe("running");
      const tune = stage.start("tune-replay", ["--unlimited"]);
      expect(await tune.exited, stage.said).toBe(0);
      expect(tune.stdout).toContain("now goes with no limit");
      await until(async () => (await stage.run()).adaptive === null, "the rate to be let go");
      expect(await replay.exited, stage.said).toBe(0);
      expect(await stage.entries()).toEqual(stage.expected);
    } finally {
      await consumer.stop();
    }
  }, 240_000);

  it("is not slowed where nobody suffers, and tune-replay switches it on and off", async () => {
    await using closing = await closingOf(FaultStage.open({ events: 6_000, eventMicros: 500 }));
    const stage = closing.of;
    const replay = stage.replay();
    await stage.unit(({ live }) => live.delivered > 100);
    for (const [flag, words] of [
      ["--adaptive-rate", /now goes with adaptive\./],
      ["--fixed-rate", /now goes with no limit\./],
    ] as const) {
      const tuned = stage.start("tune-replay", [flag]);
      expect(await tuned.exited, stage.said).toBe(0);
      expect(tuned.stdout).toMatch(words);
    }
    expect(await replay.exited, stage.said).toBe(0);
    expect((await stage.run()).adaptive).toBeNull();
    expect(await stage.entries()).toEqual(stage.expected);
  });
});

describe("tune-replay", () => {
  it.each([
    [[], "no rate is given"],
    [["--unlimited", "--max-rate", "5"], "--unlimited and a limit are given"],
    [["--adaptive-rate", "--fixed-rate"], "--adaptive-rate and --fixed-rate are given"],
    [["--max-rate", "0"], "--max-rate"],
  ])("refuses %j", async (args, words) => {
    await using stage = await closingOf(FaultStage.open({ events: 10 }));
    const refused = stage.of.start("tune-replay", args);
    expect(await refused.exited).toBe(2);
    expect(refused.stderr).toContain(words);
  });

  it("refuses a run that has ended", async () => {
    await using stage = await closingOf(FaultStage.open({ events: 10 }));
    expect(await stage.of.replay().exited, stage.of.said).toBe(0);
    const { id } = await stage.of.run();
    const refused = stage.of.start("tune-replay", ["--run", id, "--max-rate", "5"]);
    expect(await refused.exited).toBe(1);
    expect(refused.stderr).toContain(`Cannot tune run ${id}: it is completed.`);
  });
});

async function closingOf(opening: Promise<FaultStage>): Promise<AsyncDisposable & { readonly of: FaultStage }> {
  const of = await opening;
  return { of, [Symbol.asyncDispose]: () => of.close() };
}
