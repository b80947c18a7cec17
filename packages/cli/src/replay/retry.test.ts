import { ReplayError, UnreachableError } from "@cim-replay/core";
import { runOf } from "@cim-replay/testkit";
import { describe, expect, test } from "vitest";
import { LostWorkersError } from "../workers/lost-workers-error.ts";
import { errorMayPass, failureMayPass, retryDelayMs, waitToRetry } from "./retry.ts";

describe("waiting to resume", () => {
  test("takes twice as long each time, and has an end", async () => {
    expect([1, 2, 3, 4, 5, 6].map(retryDelayMs)).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, null]);
    expect(await waitToRetry(6, new AbortController().signal, () => undefined)).toBe(false);
  });

  test("is said, and ends at once where it is interrupted", async () => {
    const said: string[] = [];
    const interruption = new AbortController();
    const waiting = waitToRetry(5, interruption.signal, (line) => said.push(line));
    interruption.abort();
    expect(await waiting).toBe(false);
    expect(said).toEqual(["Resuming in 30 s (try 5 of 5)."]);
  });
});

test("lost servers and lost workers may come back, bad events do not", () => {
  expect(errorMayPass(new UnreachableError("Cannot reach NATS."))).toBe(true);
  expect(errorMayPass(new LostWorkersError("Cannot go on."))).toBe(true);
  expect(errorMayPass(new ReplayError("Cannot decode."))).toBe(false);
  const failed = runOf("r", { state: "failed" });
  expect(failureMayPass(failed, ["UnreachableError"])).toBe(true);
  expect(failureMayPass(failed, ["UnreachableError", "bad-events"])).toBe(false);
  expect(failureMayPass(failed, [])).toBe(false);
  expect(failureMayPass(runOf("r", { state: "completed" }), ["UnreachableError"])).toBe(false);
});
