import { type PinnedFilter, UsageError } from "@cim-replay/core";
import type { Invocation } from "../command.ts";
import { type LoadedSettings, loadSettings } from "../settings/load.ts";
import { readCallFlags } from "../settings/flags.ts";
import { contradictions } from "./check-flags.ts";
import { type ReplayFlags, replayFlags } from "./flags.ts";

/** What was asked for, checked as a whole. */
export interface ReplayRequest {
  readonly flags: ReplayFlags;
  readonly loaded: LoadedSettings;
  /** Of a selective replay; absent: every event is replayed. */
  readonly filter?: PinnedFilter;
}

export function readRequest({ tool, flags: given }: Invocation, needsDomain: boolean): ReplayRequest {
  const { values, mistakes } = readCallFlags(replayFlags, given);
  const loaded = loadSettings({
    flags: given,
    env: process.env,
    cwd: process.cwd(),
    helpCommand: `${tool} --help`,
    mistakes: [...mistakes, ...contradictions(values, given)],
  });
  if (needsDomain && values.domain === undefined && !values.resume) {
    throw new UsageError(`Cannot run ${tool}: no domain is named. Give --domain, e.g. \`${tool} --domain graph\`.`);
  }
  return { flags: values, loaded };
}
