import type { ReplayEvent } from "@cim-replay/core";
import { type Payload, textOf } from "./payload.ts";

/** What workflows, steps and tasks have in common. */
export interface Progressing {
  status: string | null;
  reason: string | null;
  started_at: string | null;
  completed_at: string | null;
}

/** The status that an event's verb (`Step`**`Completed`**) leads to. */
export const STATUS_OF_VERB: ReadonlyMap<string, string> = new Map([
  ["scheduled", "scheduled"],
  ["queued", "scheduled"],
  ["ready", "ready"],
  ["started", "running"],
  ["resumed", "running"],
  ["restarted", "running"],
  ["retried", "running"],
  ["completed", "completed"],
  ["finished", "completed"],
  ["succeeded", "completed"],
  ["failed", "failed"],
  ["timedout", "timed_out"],
  ["cancelled", "cancelled"],
  ["canceled", "cancelled"],
  ["aborted", "cancelled"],
  ["paused", "paused"],
  ["suspended", "paused"],
  ["blocked", "blocked"],
  ["unblocked", "pending"],
  ["skipped", "skipped"],
  ["approved", "approved"],
  ["rejected", "rejected"],
  ["archived", "archived"],
]);

/** Moves to a status with its times: the first start, and the completion as long as it stands. */
export function moveTo(item: Progressing, status: string, payload: Payload, event: ReplayEvent): void {
  item.status = status;
  item.reason = textOf(payload.reason) ?? textOf(payload.error);
  if (status === "running") {
    item.started_at ??= textOf(payload.started_at) ?? event.timestamp;
    item.completed_at = null;
  } else if (status === "completed") {
    item.completed_at = textOf(payload.completed_at) ?? event.timestamp;
  }
}
