import { acquireQuietTarget, commandHolder } from "@cim-replay/coordinator";
import { silentLog } from "@cim-replay/core";
import { Ledger, type NatsClient } from "@cim-replay/nats";

interface Targets {
  readonly domains: readonly string[];
  readonly target: string;
  readonly tool: string;
  readonly note: (line: string) => void;
}

/** Holds the leases of all domains meanwhile: a run that is going on refuses this, none can begin, one left alone is given up. */
export async function whileTargetsAreHeld<Result>(
  client: NatsClient,
  { domains, target, tool, note }: Targets,
  work: () => Promise<Result>,
): Promise<Result> {
  const ledger = await Ledger.open(client);
  if (!ledger) return work();
  const held: (() => Promise<void>)[] = [];
  try {
    // Always in the same order: two commands never hold what the other waits for.
    for (const domain of [...domains].sort()) {
      const subject = { domain, target, runId: commandHolder(tool) };
      const { lease, givenUp } = await acquireQuietTarget({ ledger, log: silentLog }, subject);
      held.push(async () => void (await lease.release()));
      for (const id of givenUp) {
        note(`Run ${id} has no coordinator any more: it is given up, and its workers are stopped.`);
      }
    }
    return await work();
  } finally {
    for (const release of held) await release();
  }
}
