import { unfinishedRestore, unfinishedStreamRestore } from "@cim-replay/archive";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ArchiveStage } from "../support/archive-stage.ts";

const ENTRIES = 20_000;
const EVENTS = 150_000;

describe("on three servers, the loss of the one that leads what is restored", { timeout: 180_000 }, () => {
  let stage: ArchiveStage;
  beforeEach(async () => {
    stage = await ArchiveStage.open({ clustered: true });
  });
  afterEach(() => stage.close());

  /** What the leader has said yes to and told nobody of is lost with it; the command ends by itself all the same. */
  async function throughTheLossOfItsLeader(line: string, stream: string, afterSeq: number): Promise<void> {
    const { run } = await stage.startedUpTo(line, stream, afterSeq);
    const leader = await stage.leaderOf(stream);
    expect(run.isRunning, `in the middle of ${run.said}`).toBe(true);
    await leader.kill();
    expect(await run.exited, run.said).toBe(0);
    await leader.restart();
  }

  it("leaves no entry out, while it is away", async () => {
    await stage.fillBucket("KEPT", ENTRIES, "new", (i) => `shop.a${i}`);
    await stage.finish("backup-projections --domain shop --target KEPT --output entries.tar.gz");
    await stage.fillBucket("COPY", ENTRIES / 2, "old", (i) => (i % 2 === 0 ? `shop.a${i}` : `shop.extra${i}`));
    const line = "restore-projections --backup entries.tar.gz --target COPY";
    await throughTheLossOfItsLeader(line, "KV_COPY", ENTRIES / 2 + ENTRIES / 10);
    expect(await stage.bucketText("COPY")).toBe(await stage.bucketText("KEPT"));
    expect(await unfinishedRestore(stage.client, "COPY")).toBeNull();
  });

  it("leaves no event out, and none twice, while it is away", async () => {
    await stage.fillStream("KEPT", EVENTS);
    await stage.finish("backup-events --stream KEPT --output events.tar.zst");
    const line = "restore-events --backup events.tar.zst --stream COPY --keep-subjects";
    await throughTheLossOfItsLeader(line, "COPY", EVENTS / 50);
    expect(await stage.streamText("COPY")).toBe(await stage.streamText("KEPT"));
    expect(await unfinishedStreamRestore(stage.client, "COPY")).toBeNull();
  });
});
