import { bucketsOf, type RunRecord, unitFor, type UnitRecord } from "@cim-replay/core";

/**
 * Why a run that skips errors must stop, though each unit keeps to the limit by itself; null where it need not. What units
 * have told of so far can only grow, so that a run which would keep to its limit is never stopped; the end's own count
 * decides for what nobody saw in time.
 */
export function skippedTooMany({ id, settings }: RunRecord, units: readonly UnitRecord[]): string | null {
  const { skipErrors } = settings;
  // Without leave to skip, bad events park their aggregates, and all of them are told at the end.
  if (skipErrors === 0) return null;
  // Each target keeps to the limit by itself, as in a run of its own.
  const byTarget = bucketsOf(settings).map((_, at) =>
    units.reduce((sum, unit) => sum + skippedBy(unitFor(unit, at)), 0),
  );
  const skipped = Math.max(...byTarget);
  if (skipped <= skipErrors) return null;
  return (
    `${skipped} events cannot be taken so far, and --skip-errors allows ${skipErrors} in all. ` +
    `See \`replay-status --run ${id} --show-errors\`; mend the cause, or \`event-replay --resume --run ${id} --skip-errors ${skipped}\` or more.`
  );
}

/** What is not durable yet counts too: its owner has it in the quarantine before it tells of it or soon after. */
function skippedBy({ state, counts, live }: UnitRecord): number {
  return state === "running" ? Math.max(counts.quarantined, live.quarantined) : counts.quarantined;
}
