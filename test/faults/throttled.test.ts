import { readAllMessages } from "@cim-replay/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { FaultStage } from "../support/fault-stage.ts";

const EVENTS = 6_000;

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
    expect(seconds).toBeGreaterThan(3.5);
    expect(seconds).toBeLessThan(4 * 1.3 + 1.5);
    expect(await stage.entries()).toEqual(stage.expected);
  });

  it("keeps to bytes too", async () => {
    stage = await FaultStage.open({ events: EVENTS, eventMicros: 0 });
    let bytes = 0;
    for await (const { data } of readAllMessages(stage.client, "EVENTS")) bytes += data.byteLength;
    const replay = stage.replay("--max-bytes-rate", String(Math.round(bytes / 4)));
    expect(await replay.exited, stage.said).toBe(0);
    expect(secondsAtWork(stage)).toBeGreaterThan(3.5);
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

describe("tune-replay", () => {
  it.each([
    [[], "no rate is given"],
    [["--unlimited", "--max-rate", "5"], "--unlimited and a limit are given"],
    [["--max-rate", "0"], "--max-rate"],
  ])("refuses %j", async (args, words) => {
    await using stage = await closing(FaultStage.open({ events: 10 }));
    const refused = stage.of.start("tune-replay", args);
    expect(await refused.exited).toBe(2);
    expect(refused.stderr).toContain(words);
  });

  it("refuses a run that has ended", async () => {
    await using stage = await closing(FaultStage.open({ events: 10 }));
    expect(await stage.of.replay().exited, stage.of.said).toBe(0);
    const { id } = await stage.of.run();
    const refused = stage.of.start("tune-replay", ["--run", id, "--max-rate", "5"]);
    expect(await refused.exited).toBe(1);
    expect(refused.stderr).toContain(`Cannot tune run ${id}: it is completed.`);
  });
});

async function closing(opening: Promise<FaultStage>): Promise<AsyncDisposable & { readonly of: FaultStage }> {
  const of = await opening;
  return { of, [Symbol.asyncDispose]: () => of.close() };
}
