import type { EventCounts } from "@cim-replay/coordinator";
import type { IndexCount } from "@cim-replay/verifier";

/** Null where the counts are bounds only, because somebody published meanwhile, or there are none. */
export function indexCountOf({ stream, byKey }: EventCounts): IndexCount | null {
  if (byKey === null) return null;
  const exact = new Map<string, number>();
  for (const [key, { minEvents, maxEvents }] of byKey) {
    if (minEvents !== maxEvents) return null;
    exact.set(key, maxEvents);
  }
  return { byKey: exact, countedTo: stream.lastSeq, after: stream };
}
