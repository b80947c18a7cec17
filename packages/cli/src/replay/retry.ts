import { setTimeout as sleep } from "node:timers/promises";
import { formatDuration, type RunRecord, UnreachableError } from "@cim-replay/core";
import { LostWorkersError } from "../workers/lost-workers-error.ts";

const ATTEMPTS = 5;
const FIRST_DELAY_MS = 2_000;
const LONGEST_DELAY_MS = 30_000;

/** Unit failures that another try may not meet again: a server or a worker was lost. Bad events stay bad. */
const PASSING_KINDS: readonly string[] = ["UnreachableError"];

/** Whether what was thrown is worth another try. */
export function errorMayPass(error: unknown): boolean {
  return error instanceof UnreachableError || error instanceof LostWorkersError;
}

/** Whether a failed run is worth another try, by the kinds of its units' failures. */
export function failureMayPass(run: RunRecord, failureKinds: readonly string[]): boolean {
  return (
    run.state === "failed" && failureKinds.length > 0 && failureKinds.every((kind) => PASSING_KINDS.includes(kind))
  );
}

/** Before the given attempt, the first being 1; null where there have been enough. */
export function retryDelayMs(attempt: number): number | null {
  return attempt > ATTEMPTS ? null : Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
}

/** Waits before the given attempt, longer each time; false where there have been enough, or `signal` was aborted. */
export async function waitToRetry(
  attempt: number,
  signal: AbortSignal,
  note: (line: string) => void,
): Promise<boolean> {
  const delayMs = retryDelayMs(attempt);
  if (delayMs === null || signal.aborted) return false;
  note(`Resuming in ${formatDuration(delayMs)} (try ${attempt} of ${ATTEMPTS}).`);
  await sleep(delayMs, undefined, { signal }).catch(() => undefined);
  return !signal.aborted;
}
