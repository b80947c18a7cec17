import { UsageError } from "@cim-replay/core";
import type { LoadedSettings } from "../settings/load.ts";
import type { PreciseTime } from "../settings/values.ts";
import { projectionNamedFor } from "./named-projections.ts";
import { bucketOf } from "../settings/bucket-names.ts";
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
    projection: projectionInto(domain, loaded),
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
    loaded: { ...loaded, settings, fromFlags: {} },
  };
}

/**
 * A bucket is brought to a moment by itself, so that one checkpoint and one command lead back: of several projections that the
 * domain has, that of this bucket. Null: the usual one. Throws UsageError where none is named for it.
 */
function projectionInto(domain: string, { settings, domains }: LoadedSettings): string[] | null {
  const bucket = bucketOf(settings.target);
  const { projection } = domains.get(domain) ?? {};
  const named = projectionNamedFor(bucket, settings.projection, { projection });
  if (named !== null) return [named];
  if (projection === undefined && settings.projection === null) return null;
  const written = [settings.projection ?? projection ?? []].flat();
  throw new UsageError(
    `Cannot bring ${domain} in bucket ${bucket} to a moment: its projections are written elsewhere (${written.join(", ")}). Name one of those buckets with --target.`,
  );
}
