import { canonicalJson, EVERY_EVENT, type EventFilter, type PinnedFilter, type RunRecord } from "@cim-replay/core";
import { pinFilter } from "@cim-replay/filter";
import type { QuarantinedEvent } from "@cim-replay/nats";
import { projectionNamedFor } from "../replay/named-projections.ts";
import type { ReplayRequest } from "../replay/request.ts";
import { splitProjection } from "../settings/bucket-names.ts";
import type { LoadedSettings } from "../settings/load.ts";
import { aggregateOf } from "./resolutions.ts";

/** Ids are kept in the run's record and plan: so many a run at most. */
const MOST_AGGREGATES = 1_000;

/** Kept events whose aggregates one run can fold again. */
export interface RetryGroup {
  /** The run that kept them, or one of several with the same settings. */
  readonly keeper: RunRecord;
  /** The run has several targets, of which this is one: what the settings name without a bucket may be another's projection. */
  readonly isOneOfSeveral: boolean;
  /** By aggregate id: the sequences that were kept. */
  readonly aggregates: ReadonlyMap<string, ReadonlySet<number>>;
}

/** `nameless`: of nobody, still. */
export function groupForRetry(
  events: readonly { readonly event: QuarantinedEvent; readonly keeper: RunRecord }[],
  loaded: LoadedSettings,
): { groups: RetryGroup[]; nameless: QuarantinedEvent[] } {
  const byScope = new Map<string, Omit<RetryGroup, "aggregates"> & { aggregates: Map<string, Set<number>> }>();
  const nameless: QuarantinedEvent[] = [];
  for (const { event, keeper } of events) {
    const { domain, domainSettings } = keeper.settings;
    const id = aggregateOf(event, { domain, domainSettings: loaded.domains.get(domain) ?? domainSettings });
    if (id === null) {
      nameless.push(event);
      continue;
    }
    const scope = scopeOf(keeper);
    const isOneOfSeveral = event.target !== undefined;
    const group = byScope.get(scope) ?? { keeper, isOneOfSeveral, aggregates: new Map<string, Set<number>>() };
    byScope.set(scope, group);
    group.aggregates.set(id, (group.aggregates.get(id) ?? new Set()).add(event.seq));
  }
  return { groups: [...byScope.values()].flatMap(inParts), nameless };
}

function inParts({ aggregates, ...rest }: RetryGroup): RetryGroup[] {
  const all = [...aggregates];
  const parts: RetryGroup[] = [];
  for (let at = 0; at < all.length; at += MOST_AGGREGATES) {
    parts.push({ ...rest, aggregates: new Map(all.slice(at, at + MOST_AGGREGATES)) });
  }
  return parts;
}

function scopeOf({ settings }: RunRecord): string {
  const { domain, target, timeBasis, projection } = settings;
  const of = { domain, target, timeBasis, projection: projection.path ?? projection.name };
  return canonicalJson({ ...of, filter: filterOf(settings), toSeq: settings.toSeq });
}

/** What the run took of its aggregates' events; one that went on from entries stood on all of them. */
function filterOf({ filter, continueFromEntries, fromTimeMs, toTimeMs, domain }: RunRecord["settings"]): EventFilter {
  const startMs = continueFromEntries ? null : fromTimeMs;
  const isCut = startMs !== null || toTimeMs !== null;
  return {
    ...(filter?.filter ?? EVERY_EVENT),
    domains: [domain],
    time_range: isCut ? { startMs, endMs: toTimeMs } : null,
  };
}

/**
 * A replay of these aggregates as the run that kept their events took them, with the domain's settings and the projection
 * as they are now: something was mended since. Up to the stream's present, unless that run had an end.
 */
export function requestOf(
  { keeper, isOneOfSeveral }: RetryGroup,
  aggregateIds: readonly string[],
  loaded: LoadedSettings,
): ReplayRequest & { readonly filter: PinnedFilter } {
  const { settings } = keeper;
  const { domain } = settings;
  const domains = new Map(loaded.domains);
  if (!domains.has(domain)) domains.set(domain, settings.domainSettings);
  const { path, name } = settings.projection;
  const given = loaded.settings.projection;
  const written = [domains.get(domain)?.projection ?? []].flat();
  const projection = isOneOfSeveral
    ? written.filter((text) => splitProjection(text).bucket === settings.target)
    : written;
  const named = projectionNamedFor(settings.target, given, { projection }) ?? path ?? name;
  return {
    flags: {
      ...{ domain, aggregateId: undefined, fromBeginning: undefined, fromSeq: undefined },
      ...{ toSeq: settings.toSeq ?? undefined, fromTime: undefined, toTime: undefined, resume: undefined },
      ...{ run: undefined, resumeOnFailure: undefined, prune: undefined, dryRun: undefined, format: undefined },
    },
    loaded: {
      ...loaded,
      domains,
      fromFlags: {},
      settings: {
        ...loaded.settings,
        ...{ target: settings.target, timeBasis: settings.timeBasis, projection: [named], skipErrors: 0 },
      },
    },
    filter: pinFilter({ ...filterOf(settings), aggregate_ids: [...aggregateIds].sort() }),
  };
}
