import { setTimeout as sleep } from "node:timers/promises";
import { formatDuration, type RunRecord, UnreachableError } from "@cim-replay/core";

const ATTEMPTS = 5;
const FIRST_DELAY_MS = 2_000;
const LONGEST_DELAY_MS = 30_000;

/** Unit failures that another try may not meet again: a server or a worker was lost. Bad events stay bad. */
const PASSING_KINDS: readonly string[] = ["UnreachableError", "unreachable"];

/** Whether the run failed for a reason that passes by itself. */
export function mayPass(outcome: { error: unknown } | { run: RunRecord; failureKinds: readonly string[] }): boolean {
  if ("error" in outcome) return outcome.error instanceof UnreachableError;
  const { run, failureKinds } = outcome;
  return run.state === "failed" && failureKinds.length > 0 && failureKinds.every((kind) => PASSING_KINDS.includes(kind));
}

/** Waits before the given attempt, longer each time; false where there have been enough, or `signal` was aborted. */
export async function waitToRetry(attempt: number, signal: AbortSignal, note: (line: string) => void): Promise<boolean> {
  if (attempt > ATTEMPTS || signal.aborted) return false;
  const delayMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
  note(`Resuming in ${formatDuration(delayMs)} (try ${attempt} of ${ATTEMPTS}).`);
  await sleep(delayMs, undefined, { signal }).catch(() => undefined);
  return !signal.aborted;
}
