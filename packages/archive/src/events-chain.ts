import { UsageError } from "@cim-replay/core";
import type { CheckedEvents } from "./events-archive.ts";

/** Archives of one stream in order, each the child of the one before; the first has no parent. */
export type EventsChain = readonly [CheckedEvents, ...CheckedEvents[]];

/** Throws UsageError where one is missing, doubled, or of another stream. */
export function chainOf(archives: readonly CheckedEvents[]): EventsChain {
  const [first, ...rest] = [...archives].sort(byRange);
  if (!first) throw new UsageError("Cannot restore: no archive is named. Give --backup.");
  const { parent } = first.manifest;
  if (parent) {
    throw new UsageError(
      `Cannot restore ${first.path} alone: it goes on from the archive with SHA-256 ${parent.sha256}, up to sequence ${parent.to_seq}. Name that one too.`,
    );
  }
  let before = first;
  for (const next of rest) {
    checkLink(before, next);
    before = next;
  }
  return [first, ...rest];
}

function byRange(a: CheckedEvents, b: CheckedEvents): number {
  const [left, right] = [a.manifest.range, b.manifest.range];
  // Of two that begin at one place, the first is empty, or nothing follows it.
  return left.from_seq - right.from_seq || left.to_seq - right.to_seq;
}

function checkLink(before: CheckedEvents, next: CheckedEvents): void {
  const { parent } = next.manifest;
  if (parent?.sha256 === before.sha256) return;
  const goesOn = parent ? `goes on from the archive with SHA-256 ${parent.sha256}` : "is a first one, of its own";
  throw new UsageError(
    `Cannot restore ${before.path} and ${next.path} together: the second ${goesOn}, and the first is ${before.sha256}. Name one chain, whole.`,
  );
}
