import { type Plan, planFor, type RunRecord, runFor, targetAt } from "@cim-replay/core";
import { type CompiledFilter, compileFilter } from "@cim-replay/filter";
import { type Ledger, type NatsClient, QuarantineStore } from "@cim-replay/nats";
import type { LeftOut } from "./certificate.ts";

/** Which events of its aggregate an entry must hold, by the run that wrote it. */
export interface Terms {
  readonly run: string | null;
  /** Whether the ledger knows the run. Where it does not, nobody can say how far it should have read. */
  readonly isKnown: boolean;
  readonly createdAt: string | null;
  /** The range that the run took into account, in sequences and, for all of them or not, in times. */
  readonly fromSeq: number;
  readonly toSeq: number;
  /** No event that such an entry holds can lie before this sequence; infinite where it is held to what there is now. */
  readonly startSeq: number;
  readonly fromTimeMs: number | null;
  readonly toTimeMs: number | null;
  /** What of its range it took; null: every event. */
  readonly filter: CompiledFilter | null;
  /** Of that filter; null where there is none. */
  readonly filterSha256: string | null;
  /** Events that it put away, by sequence: they cannot be decoded or folded. */
  readonly leftOut: ReadonlyMap<number, LeftOutEvent>;
  readonly projectionSha256: string | null;
}

export interface LeftOutEvent extends LeftOut {
  readonly subject: string;
}

/** For an entry that nobody says anything of: all that the stream holds. */
export function presentTerms(fromSeq: number, toSeq: number): Terms {
  return {
    ...{ run: null, isKnown: false, createdAt: null, fromSeq, toSeq, fromTimeMs: null, toTimeMs: null },
    ...{
      startSeq: Number.POSITIVE_INFINITY,
      filter: null,
      filterSha256: null,
      leftOut: new Map(),
      projectionSha256: null,
    },
  };
}

/** Whether an entry may hold fewer events than there are in the range. What the server's index counts says nothing then. */
export function isSelective({ fromTimeMs, toTimeMs, filter }: Terms): boolean {
  return fromTimeMs !== null || toTimeMs !== null || filter !== null;
}

/** Reads each run's terms once, from its record, its plan and its quarantine. */
export class TermsOfRuns {
  readonly #client: NatsClient;
  readonly #ledger: Ledger | null;
  readonly #scope: { readonly domain: string; readonly bucket: string; readonly present: Terms };
  readonly #known = new Map<string, Terms>();

  constructor(
    client: NatsClient,
    ledger: Ledger | null,
    scope: { readonly domain: string; readonly bucket: string; readonly present: Terms },
  ) {
    this.#client = client;
    this.#ledger = ledger;
    this.#scope = scope;
  }

  /** `given`: the run where its record is at hand. */
  async load(runId: string, given?: { run: RunRecord; plan: Plan }): Promise<Terms> {
    const known = this.#known.get(runId);
    if (known) return known;
    const { present } = this.#scope;
    const leftOut = await leftOutBy(this.#client, runId, this.#scope.bucket);
    const found = given ?? (await this.#find(runId));
    const terms = found
      ? termsOf(found.run, found.plan, present, leftOut)
      : { ...present, run: runId, startSeq: 1, leftOut };
    this.#known.set(runId, terms);
    return terms;
  }

  /** Of a run that was loaded; what the stream holds now for an entry of none. */
  of(runId: string | null): Terms {
    return (runId === null ? null : this.#known.get(runId)) ?? this.#scope.present;
  }

  async #find(runId: string) {
    const [run, plan] = await Promise.all([this.#ledger?.getRun(runId), this.#ledger?.getPlan(runId)]);
    const { domain, bucket } = this.#scope;
    if (!run || !plan || run.record.settings.domain !== domain) return null;
    const at = targetAt(run.record.settings, bucket);
    return at < 0 ? null : { run: runFor(run.record, at), plan: planFor(plan, at) };
  }
}

function termsOf(run: RunRecord, { range, stream, filter }: Plan, present: Terms, leftOut: Terms["leftOut"]): Terms {
  const { settings } = run;
  const byEventTime = settings.timeBasis === "event";
  return {
    run: run.id,
    isKnown: true,
    createdAt: run.createdAt,
    // What was before its range, such a run took from the entries that it went on from.
    fromSeq: settings.continueFromEntries ? Math.min(present.fromSeq, range.fromSeq) : range.fromSeq,
    toSeq: range.toSeq,
    startSeq: settings.continueFromEntries ? 1 : Math.max(range.fromSeq, stream.firstSeq),
    fromTimeMs: byEventTime && !settings.continueFromEntries ? settings.fromTimeMs : null,
    toTimeMs: byEventTime ? settings.toTimeMs : null,
    filter: filter ? compileFilter(filter.filter) : null,
    filterSha256: filter?.sha256 ?? null,
    leftOut,
    projectionSha256: settings.projection.sha256,
  };
}

async function leftOutBy(client: NatsClient, runId: string, bucket: string): Promise<Terms["leftOut"]> {
  const events = new Map<number, LeftOutEvent>();
  const store = await QuarantineStore.open(client, { create: false });
  if (!store) return events;
  for await (const { seq, aggregateId, kind, reason, subject } of store.list(runId, bucket)) {
    events.set(seq, { sequence: seq, aggregateId, kind, reason, subject });
  }
  return events;
}
