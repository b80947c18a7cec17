import { hasAdvanced, type UnitRecord } from "@cim-replay/core";

/** After so long without progress of any unit, a run counts as stalled. */
export const STALLED_AFTER_MS = 5 * 60_000;

/** Notices when no unit of a run comes further; tells it once a stall. */
export class StallWatch {
  readonly #stalledAfterMs: number;
  #units: readonly UnitRecord[] = [];
  #advancedAtMs = 0;
  #isTold = false;

  constructor(stalledAfterMs = STALLED_AFTER_MS) {
    this.#stalledAfterMs = stalledAfterMs;
  }

  /** True where the run has just become stalled; `isAtWork` is false for a run that shall not come further now. */
  see(units: readonly UnitRecord[], isAtWork: boolean, nowMs = performance.now()): boolean {
    const before = new Map(this.#units.map((unit) => [unit.id, unit]));
    const hasProgress = units.some((unit) => {
      const known = before.get(unit.id);
      return !known || hasAdvanced(known, unit);
    });
    this.#units = units;
    if (hasProgress || !isAtWork) {
      this.#advancedAtMs = nowMs;
      this.#isTold = false;
    }
    if (this.#isTold || nowMs - this.#advancedAtMs < this.#stalledAfterMs) return false;
    this.#isTold = true;
    return true;
  }
}
