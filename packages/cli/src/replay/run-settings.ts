import {
  type CompiledProjection,
  domainSettingsSchema,
  type EventFilter,
  type PinnedFilter,
  type RunSettings,
} from "@cim-replay/core";
import { resolveProjection } from "@cim-replay/worker/load-projection";
import type { Settings } from "../settings/definitions.ts";
import type { LoadedSettings } from "../settings/load.ts";
import type { ReplayFlags } from "./flags.ts";
import { projectionsToReplay } from "./named-projections.ts";

/** What a run of `domain` will be pinned to, and its projections made ready, in the order of its targets. Throws UsageError. */
export async function runSettingsFor(
  domain: string,
  loaded: LoadedSettings,
  flags: ReplayFlags,
  filter: PinnedFilter | null = null,
): Promise<{ settings: RunSettings; projections: readonly CompiledProjection[] }> {
  const { settings, domains } = loaded;
  const domainSettings = domains.get(domain) ?? domainSettingsSchema.parse({});
  const named = projectionsToReplay(domain, loaded, domainSettings);
  const [first, ...others] = named;
  const resolved = await resolveProjection(first.named);
  const otherTargets = await Promise.all(
    others.map(async (other) => ({ target: other.bucket, ...(await resolveProjection(other.named)) })),
  );
  return {
    projections: [resolved.projection, ...otherTargets.map(({ projection }) => projection)],
    settings: {
      domain,
      domainSettings,
      aggregateId: flags.aggregateId ?? null,
      // A part of the stream alone would overwrite whole entries with parts of them.
      continueFromEntries: flags.fromSeq !== undefined || flags.fromTime !== undefined,
      fromSeq: flags.fromSeq ?? null,
      toSeq: flags.toSeq ?? null,
      fromTimeMs: flags.fromTime ?? null,
      toTimeMs: flags.toTime ?? null,
      timeBasis: settings.timeBasis,
      filter,
      target: first.bucket,
      projection: resolved.ref,
      otherTargets: otherTargets.map(({ target, ref }) => ({ target, projection: ref })),
      parallel: settings.parallel,
      source: settings.source,
      units: settings.units,
      ...paceOf(settings),
      memoryLimitBytes: settings.memoryLimit,
      prune: flags.prune ?? false,
      certify: settings.certify,
      ...(filter && boundsOf(filter.filter)),
    },
  };
}

/** What of a filter says how far to read: a run over a few sequences need not read the others. */
function boundsOf({ time_range: times, sequences }: EventFilter): Partial<RunSettings> {
  return {
    ...(times && { fromTimeMs: times.startMs, toTimeMs: times.endMs }),
    ...(sequences && {
      fromSeq: Math.min(...sequences.map(({ fromSeq }) => fromSeq)),
      toSeq: Math.max(...sequences.map(({ toSeq }) => toSeq)),
    }),
  };
}

/** What `--resume` takes from its own flags; all else the run has pinned. */
export function changesOnResume(fromFlags: Partial<Settings>, flags: ReplayFlags): Partial<RunSettings> {
  return {
    ...paceOf(fromFlags),
    ...(fromFlags.memoryLimit === undefined ? {} : { memoryLimitBytes: fromFlags.memoryLimit }),
    ...(flags.prune === undefined ? {} : { prune: flags.prune }),
    ...(fromFlags.certify === undefined ? {} : { certify: fromFlags.certify }),
  };
}

const PACE = [
  "batchSize",
  "prefetch",
  "bufferSize",
  "bufferMode",
  "gcInterval",
  "reader",
  "maxRate",
  "maxBytesRate",
  "adaptiveRate",
  "checkpointInterval",
  "skipErrors",
] as const;
type Pace = (typeof PACE)[number];

/** The settings of the same name in a run, those that are there. */
function paceOf<Given extends Partial<Settings>>(given: Given): Pick<Given, Pace> {
  const there = PACE.filter((name) => given[name] !== undefined).map((name) => [name, given[name]]);
  return Object.fromEntries(there) as Pick<Given, Pace>;
}
