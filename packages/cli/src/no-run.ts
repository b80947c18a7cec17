import { ReplayError } from "@cim-replay/core";

export function noLedger(tool: string): ReplayError {
  return new ReplayError(
    `Cannot run ${tool}: there is no ledger (bucket CIM_REPLAY) on this server, so no run. Start one with \`event-replay --domain DOMAIN\`, or check NATS_URL.`,
  );
}

/** `wanted` says which run was asked for, e.g. `run 20260131-…` or `an unfinished run of graph`. */
export function noRun(tool: string, wanted: string): ReplayError {
  return new ReplayError(`Cannot run ${tool}: the ledger has no ${wanted}. See \`replay-list\`.`);
}
