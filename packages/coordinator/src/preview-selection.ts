import { setImmediate as turn } from "node:timers/promises";
import {
  compileDomain,
  type DecodedEvent,
  entryKey,
  isMalformed,
  type Plan,
  type RunSettings,
  type StreamMessage,
} from "@cim-replay/core";
import { type CompiledFilter, compileFilter } from "@cim-replay/filter";
import { type NatsClient, readStream } from "@cim-replay/nats";

/** An aggregate with at least one event that is taken. */
export interface SelectedKey {
  readonly key: string;
  taken: number;
  /** All events of it in the range. */
  events: number;
}

/** What a selective run would do with each message of its range: `delivered` is the sum of the next four. */
export interface SelectionPreview {
  readonly plan: Plan;
  delivered: number;
  taken: number;
  filtered: number;
  /** Of no or another domain. */
  foreign: number;
  /** Cannot be decoded, and may have been asked for: they would be put into the quarantine. */
  undecodable: number;
  /** Of those filtered: the condition cannot be evaluated on them. */
  undecided: number;
  /** Of those taken, by type as written and by day (UTC) of the event's own time. */
  readonly byType: Map<string, number>;
  readonly byDay: Map<string, number>;
  readonly keys: readonly SelectedKey[];
}

/**
 * Reads the plan's range as a run would, and counts what its filter takes; folds and writes nothing. Whether the projection
 * would refuse an event is therefore not known.
 */
export async function previewSelection(
  client: NatsClient,
  settings: RunSettings,
  plan: Plan,
  signal: AbortSignal,
): Promise<SelectionPreview> {
  const counting = new Counting(settings, plan);
  const messages = readStream(client, {
    stream: plan.stream.name,
    created: plan.stream.created,
    range: plan.range,
    filterSubjects: plan.read.filterSubjects,
    maxMessages: Math.min(settings.prefetch, settings.bufferSize),
    maxBytes: 16 * 1024 * 1024,
    noProgressMs: 5_000,
    signal,
  });
  for await (const batch of messages) {
    for (const message of batch) counting.take(message);
    await turn();
  }
  return counting.result();
}

class Counting {
  readonly #settings: RunSettings;
  readonly #filter: CompiledFilter | null;
  readonly #codec: ReturnType<typeof compileDomain>;
  readonly #preview: Omit<SelectionPreview, "keys">;
  readonly #aggregates = new Map<string, { taken: number; events: number }>();

  constructor(settings: RunSettings, plan: Plan) {
    this.#settings = settings;
    this.#filter = plan.filter ? compileFilter(plan.filter.filter) : null;
    this.#codec = compileDomain(settings.domain, settings.domainSettings);
    this.#preview = {
      ...{ plan, delivered: 0, taken: 0, filtered: 0, foreign: 0, undecodable: 0, undecided: 0 },
      ...{ byType: new Map(), byDay: new Map() },
    };
  }

  take(message: StreamMessage): void {
    const preview = this.#preview;
    preview.delivered += 1;
    const routeKey = this.#codec.route(message.subject);
    if (routeKey === undefined) {
      preview.foreign += 1;
      return;
    }
    const event = this.#codec.decode(message, routeKey);
    if (isMalformed(event)) {
      if (this.#filter?.mayTake(message, routeKey) === false) preview.filtered += 1;
      else preview.undecodable += 1;
      return;
    }
    const aggregate = this.#aggregates.get(event.aggregateId) ?? { taken: 0, events: 0 };
    this.#aggregates.set(event.aggregateId, aggregate);
    aggregate.events += 1;
    if (!this.#isAskedFor(message, event)) {
      preview.filtered += 1;
      return;
    }
    aggregate.taken += 1;
    preview.taken += 1;
    add(preview.byType, event.type);
    add(preview.byDay, new Date(event.timestampMs).toISOString().slice(0, 10));
  }

  result(): SelectionPreview {
    const { domain } = this.#settings;
    const touched = [...this.#aggregates].filter(([, { taken }]) => taken > 0);
    const keys = touched.map(([id, counts]) => ({ key: entryKey(domain, id), ...counts }));
    return { ...this.#preview, keys: keys.sort((a, b) => (a.key < b.key ? -1 : 1)) };
  }

  #isAskedFor(message: StreamMessage, event: DecodedEvent): boolean {
    const { timeBasis, fromTimeMs, toTimeMs } = this.#settings;
    const { timestampMs } = event;
    // By receipt the range is cut already.
    if (timeBasis === "event" && (timestampMs < (fromTimeMs ?? -Infinity) || timestampMs > (toTimeMs ?? Infinity))) {
      return false;
    }
    const verdict = this.#filter?.judge(message, event) ?? "taken";
    if (verdict === "undecided") this.#preview.undecided += 1;
    return verdict === "taken";
  }
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
