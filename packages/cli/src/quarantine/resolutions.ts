import {
  canonicalJson,
  compileDomain,
  eachTarget,
  EVERY_EVENT,
  isMalformed,
  type RunRecord,
  type RunSettings,
} from "@cim-replay/core";
import type { Ledger, QuarantinedEvent, QuarantinePlace, QuarantineStore } from "@cim-replay/nats";

/**
 * Says which later run took a kept event: one that completed, over the same target, that had the event's aggregate and
 * sequence to fold and did not put it away again. Nothing is written when an event is resolved: the runs' own records prove it.
 */
export class Resolutions {
  readonly #ledger: Ledger;
  readonly #store: QuarantineStore;
  readonly #runs: readonly RunRecord[];
  readonly #ranges = new Map<string, { fromSeq: number; toSeq: number } | null>();
  readonly #kept = new Map<string, readonly QuarantinePlace[]>();

  private constructor(ledger: Ledger, store: QuarantineStore, runs: readonly RunRecord[]) {
    this.#ledger = ledger;
    this.#store = store;
    this.#runs = runs;
  }

  static async open(ledger: Ledger, store: QuarantineStore): Promise<Resolutions> {
    return new Resolutions(ledger, store, (await ledger.listRuns()).flatMap(eachTarget));
  }

  /** The run that kept an event, as the target sees it that could not take it; undefined where the ledger has none such. */
  runOf({ runId, target }: QuarantinePlace): RunRecord | undefined {
    return this.#runs.find(({ id, settings }) => id === runId && (target === undefined || settings.target === target));
  }

  /** The id of the newest run that took the event; null where none has. */
  async resolvedBy(event: QuarantinedEvent): Promise<string | null> {
    const keeper = this.runOf(event);
    if (!keeper) return null;
    for (const run of this.#runs) {
      if (isLaterOver(run, keeper) && hasAggregate(run, event) && (await this.#tookIt(run, event.seq))) return run.id;
    }
    return null;
  }

  async #tookIt({ id, settings: { target } }: RunRecord, seq: number): Promise<boolean> {
    if (!this.#ranges.has(id)) this.#ranges.set(id, (await this.#ledger.getPlan(id))?.range ?? null);
    const range = this.#ranges.get(id);
    if (!range || seq < range.fromSeq || seq > range.toSeq) return false;
    const kept = this.#kept.get(id) ?? (await this.#store.places(id));
    this.#kept.set(id, kept);
    return !kept.some((place) => place.seq === seq && (place.target ?? target) === target);
  }
}

/** Whether what the one takes of an aggregate's events is what the other took, or all of them. */
function isLaterOver(run: RunRecord, keeper: RunRecord): boolean {
  const [after, before] = [run.settings, keeper.settings];
  if (run.state !== "completed" || run.createdAt <= keeper.createdAt) return false;
  if (after.domain !== before.domain || after.target !== before.target || after.continueFromEntries) return false;
  const taken = selectionOf(after);
  return taken === selectionOf(before) || taken === EVERYTHING;
}

/** As text, so that two can be compared. Which aggregates is another matter. */
function selectionOf({ filter, continueFromEntries, fromTimeMs, toTimeMs }: RunSettings): string {
  return canonicalJson({
    ...{ ...EVERY_EVENT, ...filter?.filter, domains: null, aggregate_ids: null, time_range: null },
    times: [continueFromEntries ? null : fromTimeMs, toTimeMs],
  });
}
const EVERYTHING = canonicalJson({ ...EVERY_EVENT, times: [null, null] });

function hasAggregate({ settings }: RunRecord, event: QuarantinedEvent): boolean {
  const ids = settings.aggregateId === null ? settings.filter?.filter.aggregate_ids : [settings.aggregateId];
  if (!ids) return true;
  const id = aggregateOf(event, settings);
  return id !== null && ids.includes(id);
}

/** By what the event holds where it can be decoded now, else by what was known of it when it was kept. */
export function aggregateOf(
  event: QuarantinedEvent,
  { domain, domainSettings }: Pick<RunSettings, "domain" | "domainSettings">,
): string | null {
  if (event.cut) return event.aggregateId;
  const { seq, subject, data, headers } = event;
  const codec = compileDomain(domain, domainSettings);
  const routeKey = codec.route(subject);
  if (routeKey === undefined) return event.aggregateId;
  const decoded = codec.decode({ seq, subject, data, headers, receivedAtMs: 0 }, routeKey);
  return isMalformed(decoded) ? event.aggregateId : decoded.aggregateId;
}
