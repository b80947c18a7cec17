import { bucketsOf, type RunSettings } from "@cim-replay/core";
import { acquireTarget, type LedgerContext } from "./give-up.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";

/** The right to write a domain into each target of a run: all of them, or none. */
export class TargetLeases {
  readonly #keepers: readonly LeaseKeeper[];

  constructor(keepers: readonly LeaseKeeper[]) {
    this.#keepers = keepers;
  }

  /** Throws where another coordinator took one of them. */
  assertHeld(): void {
    for (const keeper of this.#keepers) keeper.assertHeld();
  }

  async release(): Promise<void> {
    await Promise.all(this.#keepers.map((keeper) => keeper.release()));
  }
}

/**
 * Takes the lease of each target, in the order of their names: of two runs that want the same ones, whatever the order in
 * which they name them, one gets all and the other none, and neither waits for the other. Throws ReplayError, naming the
 * holder, where one of them is held; those that were taken by then are given back.
 */
export async function acquireTargets(ctx: LedgerContext, settings: RunSettings, runId: string): Promise<TargetLeases> {
  const { domain } = settings;
  const keepers: LeaseKeeper[] = [];
  try {
    for (const target of bucketsOf(settings).sort()) {
      keepers.push(await acquireTarget(ctx, { domain, target, runId }));
    }
    return new TargetLeases(keepers);
  } catch (error) {
    await new TargetLeases(keepers).release();
    throw error;
  }
}
