import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ProcessWatch } from "../bench/process-watch.ts";
import { ArchiveStage } from "../support/archive-stage.ts";

const COUNT = 15_000;
const LONGER = 4;
const PADDING_BYTES = 5_000;
/** What is read more the second time: whoever kept it would hold all of that, and the texts that are made of it. */
const MORE_BYTES = COUNT * (LONGER - 1) * PADDING_BYTES;

let stage: ArchiveStage;

beforeAll(async () => {
  stage = await ArchiveStage.open();
  for (const [name, count] of Object.entries({ ONCE: COUNT, LONGER: COUNT * LONGER })) {
    await stage.fillStream(name, count, PADDING_BYTES);
    await stage.fillBucket(name, count, "0".repeat(PADDING_BYTES), (i) => `shop.a${i}`);
  }
});
afterAll(() => stage.close());

async function peakBytes(line: string): Promise<number> {
  const run = stage.start(line);
  const watch = new ProcessWatch(run.pid);
  const status = await run.exited;
  watch.stop();
  expect(status, run.said).toBe(0);
  return watch.root.peakBytes;
}

describe("the memory that a backup takes does not grow with its length:", { timeout: 120_000 }, () => {
  it.each([
    ["backup-events", "backup-events --stream WHAT --output WHAT.tar.zst"],
    ["backup-projections", "backup-projections --domain shop --target WHAT --output WHAT.tar.gz"],
  ])("%s", async (_, line) => {
    const once = await peakBytes(line.replaceAll("WHAT", "ONCE"));
    const longer = await peakBytes(line.replaceAll("WHAT", "LONGER"));
    // The collector takes its time.
    expect(longer - once, `${once} bytes, then ${longer}`).toBeLessThan(MORE_BYTES / 2);
  });
});
