import type { LoadedSettings } from "../settings/load.ts";
import type { PreciseTime } from "../settings/values.ts";
import type { ReplayRequest } from "./request.ts";

/** What all domains are brought to. */
export interface Moment extends PreciseTime {
  /** Nor anything behind this stream sequence; undefined: the time alone decides. */
  readonly toSeq: number | undefined;
}

/**
 * A replay of one domain from its first event up to the moment. It prunes: having seen every event up to then, it knows
 * which aggregates there were not yet, and whoever asks for a moment asks for their absence, too.
 */
export function replayToMoment(
  domain: string,
  { timeMs, toSeq }: Moment,
  loaded: LoadedSettings,
  certifyFully: boolean,
): ReplayRequest {
  const settings = {
    ...loaded.settings,
    ...(certifyFully && { certify: "full" as const }),
    // Of all domains together there is a checkpoint.
    backupFirst: false as const,
  };
  return {
    flags: {
      ...{ domain, toTime: timeMs, toSeq, prune: true, format: undefined },
      ...{ aggregateId: undefined, fromBeginning: true, fromSeq: undefined, fromTime: undefined },
      ...{ resume: undefined, run: undefined, resumeOnFailure: undefined, dryRun: undefined },
    },
    loaded: { ...loaded, settings },
  };
}
