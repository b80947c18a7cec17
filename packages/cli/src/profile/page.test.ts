import type { WorkerProfile } from "@cim-replay/core";
import { expect, test } from "vitest";
import { flameOf } from "./flame.ts";
import { profilePage } from "./page.ts";
import { reportOf } from "./report.ts";

/** Ten samples of 1 ms in `leaf`, below a root, and as many idle ones. */
function profileOf(leaf: { functionName: string; url: string }, idle = 0): WorkerProfile {
  const node = (id: number, frame: Partial<typeof leaf>, children: number[] = []) => ({
    id,
    children,
    callFrame: { functionName: "", url: "", scriptId: "0", lineNumber: 0, columnNumber: 0, ...frame },
  });
  const samples = [...new Array<number>(10).fill(2), ...new Array<number>(idle).fill(3), 1];
  return {
    workerId: "w<1>",
    runId: "r",
    endedBy: "duration",
    wallMs: 10 + idle,
    cpuMs: 10,
    stages: { fetch: idle, fold: 10, checkpoint: 0, write: 0 },
    delivered: 100,
    applied: 100,
    entriesWritten: 0,
    recoveries: 0,
    eventLoop: { meanMs: 0, p99Ms: 0, maxMs: 0, utilization: 1 },
    gc: { count: 0, totalMs: 0, longestMs: 0 },
    inFlightBytes: { mean: 0, max: 0 },
    rssMaxBytes: 1,
    received: { bytes: 1, messages: 1 },
    rttMs: 0.2,
    cpuProfile: {
      nodes: [node(1, { functionName: "(root)" }, [2, 3]), node(2, leaf), node(3, { functionName: "(idle)" })],
      startTime: 0,
      endTime: 1,
      samples,
      timeDeltas: samples.map(() => 1000),
    },
  };
}

function reportFor(profile: WorkerProfile, changes: { waitingShare?: number } = {}) {
  const gathered = { profiles: [profile], lost: [], wallMs: profile.wallMs, endedEarly: false, mostAtWork: 1 };
  return reportOf({ id: "r", domain: "shop" }, { ...gathered, waitingShare: 0, ...changes });
}

const decoding = { functionName: "parse", url: "file:///app/packages/core/dist/decode/json-payload.js" };

test("names of functions and workers are text in the page, whatever they hold", () => {
  const page = profilePage(
    reportFor(profileOf({ functionName: '<script>alert("x")</script>', url: "file:///a/<b>.js" })),
  );
  expect(page).not.toContain("<script");
  expect(page).toContain("&lt;script&gt;");
  expect(page).toContain("w&lt;1&gt;");
});

test("busy workers are limited by what they do most", () => {
  expect(reportFor(profileOf(decoding)).verdict.limit).toBe("decode");
  expect(reportFor(profileOf({ functionName: "evolve", url: "file:///mine.ts" })).verdict.limit).toBe("fold");
});

test("workers that wait are limited by who is slower: the server, the way to it, or the queue", () => {
  const waits = profileOf(decoding, 100);
  expect(reportFor(waits).verdict.limit).toBe("server");
  expect(reportFor({ ...waits, rttMs: 20 }).verdict.limit).toBe("network");
  expect(reportFor({ ...waits, stages: { ...waits.stages, write: 1_000 } }).verdict.limit).toBe("write");
  expect(reportFor(waits, { waitingShare: 0.5 }).verdict.limit).toBe("redis");
});

test("a flame graph holds all workers' busy time once, and no idle time", () => {
  const boxes = flameOf([profileOf(decoding, 50).cpuProfile, profileOf(decoding).cpuProfile]);
  expect(boxes.map(({ name, ms, share }) => ({ name, ms, share }))).toEqual([
    { name: "busy", ms: 20, share: 1 },
    { name: "parse", ms: 20, share: 1 },
  ]);
});
