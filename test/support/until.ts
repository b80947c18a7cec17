import { setTimeout as sleep } from "node:timers/promises";

const LOOK_EVERY_MS = 15;
const PATIENCE_MS = 30_000;

/** Looks until there is something; throws with `what` was waited for. */
export async function until<T>(
  look: () => Promise<T> | T,
  what: string | (() => string),
  withinMs = PATIENCE_MS,
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== false && found !== null && found !== undefined) return found as Exclude<T, false | null | undefined>;
    if (performance.now() > deadline) {
      throw new Error(`waited ${withinMs} ms in vain for ${typeof what === "string" ? what : what()}`);
    }
    await sleep(LOOK_EVERY_MS);
  }
}
