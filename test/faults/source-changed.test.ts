import { afterEach, describe, expect, it } from "vitest";
import { FaultStage } from "../support/fault-stage.ts";

describe("in the middle of a run", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  /** Breaks something once the unit is well on its way, and gives how the command ended. */
  async function replayWhile(meanwhile: (readSeq: number) => Promise<unknown>) {
    stage = await FaultStage.open({ events: 2_000 });
    // Few messages are ahead of the fold, so that there is something ahead of the reader.
    const replay = stage.replay("--prefetch", "100");
    const { cursorSeq } = await stage.unit((unit) => unit.cursorSeq > 700);
    await meanwhile(cursorSeq);
    return { status: await replay.exited, replay };
  }

  async function expectFails(reason: RegExp, meanwhile: (readSeq: number) => Promise<unknown>): Promise<void> {
    const { status, replay } = await replayWhile(meanwhile);
    expect(status, stage.said).toBe(1);
    expect(replay.stderr).toMatch(reason);
    expect(await stage.run()).toMatchObject({ state: "failed", reason: expect.stringMatching(reason) });
  }

  const streams = () => stage.client.jsm.streams;

  it("a stream that is deleted and made again fails the run", () =>
    expectFails(/EVENTS.*(made again|recreated|created)/, async () => {
      await streams().delete("EVENTS");
      await stage.createStream();
      await stage.publish(2_000);
    }));

  it("a stream that is deleted fails the run", () =>
    expectFails(/EVENTS.*(was deleted|does not exist any more)/, () => streams().delete("EVENTS")));

  it("a purge of what is still to be read fails the run", () =>
    expectFails(/EVENTS.*(purged|lost)|sequence \d+ of EVENTS/, () => streams().purge("EVENTS")));

  it("a purge of what was read already fails the run", () =>
    expectFails(/EVENTS lost its messages before sequence 200/, () => streams().purge("EVENTS", { seq: 200 })));

  it("a message deleted ahead of the reader fails the run, naming its sequence", () =>
    expectFails(/sequence 1950 of EVENTS/, () => streams().deleteMessage("EVENTS", 1_950, false)));

  it("a message deleted behind the reader fails the run", () =>
    expectFails(/EVENTS lost messages \(0 sequences were deleted before, 1 are now: 100\)/, () =>
      streams().deleteMessage("EVENTS", 100, false),
    ));

  it("events that are published are not part of the run", async () => {
    const { status } = await replayWhile(() => stage.publish(1_000, 400));
    expect(status, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
  });
});
