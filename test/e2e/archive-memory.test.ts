import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ProcessWatch } from "../bench/process-watch.ts";
import { ArchiveStage } from "../support/archive-stage.ts";

const EVENTS = 60_000;
const LONGER = 4;
/** What grows with the length would be four times as much. */
const FLAT = 1.4;

let stage: ArchiveStage;

beforeAll(async () => {
  stage = await ArchiveStage.open();
  await stage.fillStream("ONCE", EVENTS);
  await stage.fillStream("LONGER", EVENTS * LONGER);
  await stage.fillBucket("ONCE", EVENTS, "v", (i) => `shop.a${i}`);
  await stage.fillBucket("LONGER", EVENTS * LONGER, "v", (i) => `shop.a${i}`);
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
    expect(longer / once, `${once} bytes, then ${longer}`).toBeLessThan(FLAT);
 console.log(once, longer);
  });
});
