import { setTimeout as sleep } from "node:timers/promises";
import type { Ledger } from "@cim-replay/nats";

const LOOK_EVERY_MS = 250;

/** Where nobody wants the outcome any more. */
export const CALLED_OFF = Symbol("called off");

/**
 * The outcome of `work`, or CALLED_OFF as soon as `interruption` aborts or the run is no longer `verifying`, because somebody
 * paused or cancelled it. Nobody waits for `work` then: its signal tells it to stop, and what it still does goes unheard.
 */
export async function whileVerifying<Outcome>(
  { ledger, runId, interruption }: { ledger: Ledger; runId: string; interruption: AbortSignal },
  work: (signal: AbortSignal) => Promise<Outcome>,
): Promise<Outcome | typeof CALLED_OFF> {
  const moved = new AbortController();
  const done = new AbortController();
  const signal = AbortSignal.any([interruption, moved.signal]);
  const calledOff = new Promise<typeof CALLED_OFF>((resolve) => {
    if (signal.aborted) resolve(CALLED_OFF);
    else signal.addEventListener("abort", () => resolve(CALLED_OFF), { once: true });
  });
  void abortWhenMoved(ledger, runId, moved, done.signal);
  try {
    return await Promise.race([calledOff, work(signal)]);
  } finally {
    done.abort();
  }
}

async function abortWhenMoved(ledger: Ledger, runId: string, moved: AbortController, done: AbortSignal): Promise<void> {
  while (!done.aborted) {
    // A ledger that does not answer says nothing of what anybody wants.
    const run = await ledger.getRun(runId).catch(() => null);
    if (run && run.record.state !== "verifying") moved.abort();
    await sleep(LOOK_EVERY_MS, undefined, { signal: done }).catch(() => undefined);
  }
}
