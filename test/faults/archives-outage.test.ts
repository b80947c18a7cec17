import { unfinishedRestore, unfinishedStreamRestore } from "@cim-replay/archive";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ArchiveStage } from "../support/archive-stage.ts";

const ENTRIES = 30_000;
const EVENTS = 60_000;

let stage: ArchiveStage;

beforeEach(async () => {
  stage = await ArchiveStage.open();
});
afterEach(() => stage.close());

/** The server is killed and started again as soon as so much of the stream is written; then the command ends by itself. */
async function throughARestart(line: string, stream: string, afterSeq: number): Promise<void> {
  const { run, reached } = await stage.startedUpTo(line, stream, afterSeq);
  await stage.nats.kill();
  await stage.nats.restart();
  expect(await run.exited, run.said).toBe(0);
  expect(reached, "killed in the middle of it").toBeGreaterThanOrEqual(afterSeq);
}

describe("kill -9 and restart of nats-server", { timeout: 120_000 }, () => {
  it("in the middle of restore-events: it goes on, each event once and in order", async () => {
    await stage.fillStream("KEPT", EVENTS);
    await stage.finish("backup-events --stream KEPT --output events.tar.zst");
    const line = "restore-events --backup events.tar.zst --stream COPY --keep-subjects";
    await throughARestart(line, "COPY", EVENTS / 10);
    expect(await stage.streamText("COPY")).toBe(await stage.streamText("KEPT"));
    expect(await unfinishedStreamRestore(stage.client, "COPY")).toBeNull();
  });

  it("in the middle of restore-projections: it goes on, and what it restored is read back", async () => {
    await stage.fillBucket("KEPT", ENTRIES, "new", (i) => `shop.a${i}`);
    await stage.finish("backup-projections --domain shop --target KEPT --output entries.tar.gz");
    await stage.fillBucket("COPY", ENTRIES / 2, "old", (i) => (i % 2 === 0 ? `shop.a${i}` : `shop.extra${i}`));
    const line = "restore-projections --backup entries.tar.gz --target COPY";
    await throughARestart(line, "KV_COPY", ENTRIES / 2 + ENTRIES / 10);
    expect(await stage.bucketText("COPY")).toBe(await stage.bucketText("KEPT"));
    expect(await unfinishedRestore(stage.client, "COPY")).toBeNull();
  });

  it("in the middle of backup-events: the archive is whole", async () => {
    await stage.fillStream("KEPT", EVENTS);
    const run = stage.start("backup-events --stream KEPT --output events.tar.zst");
    // Its consumer is there: it reads.
    while (run.isRunning && (await stage.client.jsm.streams.info("KEPT")).state.consumer_count === 0);
    await stage.nats.kill();
    await stage.nats.restart();
    expect(await run.exited, run.said).toBe(0);
    await stage.finish("restore-events --backup events.tar.zst --stream COPY --keep-subjects");
    expect(await stage.streamText("COPY")).toBe(await stage.streamText("KEPT"));
  });
});
